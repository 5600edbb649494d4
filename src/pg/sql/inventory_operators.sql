-- Casts, operators, operator classes and families, transforms, access methods.
WITH o AS (
    SELECT 'CAST'::text AS kind, 'pg_cast'::regclass AS classid, c.oid, NULL::text AS nspname, NULL::oid AS owner,
           concat_ws(' ', 'CONTEXT', c.castcontext, 'METHOD', c.castmethod,
               'FUNCTION ' || CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END) AS definition
    FROM pg_cast c
    WHERE c.oid >= 16384 /*pg14+*/ AND NOT EXISTS (SELECT 1 FROM pg_range g
          WHERE g.rngtypid = c.castsource AND g.rngmultitypid = c.casttarget) /*else*/ /*end*/
    UNION ALL
    SELECT 'OPERATOR', 'pg_operator'::regclass, p.oid, n.nspname, p.oprowner,
           concat_ws(' ', 'FUNCTION', p.oprcode::text, CASE WHEN p.oprcanmerge THEN 'MERGES' END,
               CASE WHEN p.oprcanhash THEN 'HASHES' END,
               'COMMUTATOR ' || CASE WHEN p.oprcom <> 0 THEN p.oprcom::regoperator::text END,
               'NEGATOR ' || CASE WHEN p.oprnegate <> 0 THEN p.oprnegate::regoperator::text END,
               'RESTRICT ' || nullif(p.oprrest::text, '-'), 'JOIN ' || nullif(p.oprjoin::text, '-'))
    FROM pg_operator p JOIN pg_namespace n ON n.oid = p.oprnamespace
    -- Without shell operators, which exist only because another operator names them as commutator or negator.
    WHERE p.oid >= 16384 AND p.oprcode <> 0
    UNION ALL
    SELECT 'OPERATOR CLASS', 'pg_opclass'::regclass, p.oid, n.nspname, p.opcowner,
           concat_ws(' ', CASE WHEN p.opcdefault THEN 'DEFAULT' END, 'FOR TYPE', format_type(p.opcintype, NULL),
               'FAMILY', (SELECT format('%I.%I', fn.nspname, f.opfname) FROM pg_opfamily f
                          JOIN pg_namespace fn ON fn.oid = f.opfnamespace WHERE f.oid = p.opcfamily),
               'STORAGE ' || CASE WHEN p.opckeytype <> 0 THEN format_type(p.opckeytype, NULL) END)
    FROM pg_opclass p JOIN pg_namespace n ON n.oid = p.opcnamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT 'OPERATOR FAMILY', 'pg_opfamily'::regclass, p.oid, n.nspname, p.opfowner,
           concat_ws(' ',
               (SELECT string_agg(format('OPERATOR %s %s %s', a.amopstrategy, a.amopopr::regoperator, a.amoppurpose), ' '
                       ORDER BY a.amopstrategy, a.amopopr::regoperator::text) FROM pg_amop a WHERE a.amopfamily = p.oid),
               (SELECT string_agg(format('FUNCTION %s %s', a.amprocnum, a.amproc::regprocedure::text), ' '
                       ORDER BY a.amprocnum, a.amproc::regprocedure::text) FROM pg_amproc a WHERE a.amprocfamily = p.oid))
    FROM pg_opfamily p JOIN pg_namespace n ON n.oid = p.opfnamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT 'TRANSFORM', 'pg_transform'::regclass, t.oid, NULL, NULL,
           concat_ws(' ', 'FROM SQL', t.trffromsql::text, 'TO SQL', t.trftosql::text)
    FROM pg_transform t
    UNION ALL
    SELECT 'ACCESS METHOD', 'pg_am'::regclass, a.oid, NULL, NULL, concat_ws(' ', a.amtype, a.amhandler::text)
    FROM pg_am a WHERE a.oid >= 16384
)
SELECT o.kind, o.nspname::text, coalesce(i.identity, 'oid ' || o.oid), o.definition, r.rolname::text, e.extname::text,
       o.classid::oid, o.oid, 0
FROM o
CROSS JOIN LATERAL pg_identify_object(o.classid, o.oid, 0) i
LEFT JOIN pg_roles r ON r.oid = o.owner
LEFT JOIN pg_depend x ON x.classid = o.classid AND x.objid = o.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE o.nspname IS NULL OR (o.nspname !~ '^pg_' AND o.nspname <> 'information_schema')
