-- Constraints of tables and domains. pg_dump restores a foreign key with disabled RI triggers as enabled, so their
-- state is part of the definition. The state of a constraint's index is on a separate line.
SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' WHEN 'c' THEN 'CHECK CONSTRAINT' WHEN 'n' THEN 'NOT NULL CONSTRAINT'
                      ELSE 'CONSTRAINT' END,
       n.nspname::text,
       CASE WHEN k.contypid <> 0 THEN format('%I on domain %I.%I', k.conname, n.nspname, t.typname)
            ELSE format('%I on %I.%I', k.conname, n.nspname, c.relname) END,
       concat_ws(' ', pg_get_constraintdef(k.oid),
           CASE WHEN NOT k.convalidated THEN 'UNPROVED' END,
           CASE WHEN k.conparentid <> 0 THEN 'OF A PARTITIONED PARENT' WHEN NOT k.conislocal THEN 'INHERITED' END,
           CASE WHEN k.connoinherit AND k.contype = 'c' THEN 'NO INHERIT' END,
           CASE WHEN i.indisclustered THEN 'CLUSTERED' END,
           CASE WHEN i.indisreplident THEN 'REPLICA IDENTITY' END,
           'RI TRIGGERS ' || ri.states)
           || coalesce(E'\nINDEX ' || nullif(concat_ws(' ',
               (SELECT 'WITH (' || string_agg(format('%I=%L', split_part(o.pair, '=', 1), substr(o.pair, strpos(o.pair, '=') + 1)), ', ' ORDER BY o.pair) || ')'
                FROM unnest(ic.reloptions) o(pair)),
               'TABLESPACE ' || (SELECT quote_ident(s.spcname) FROM pg_tablespace s WHERE s.oid = ic.reltablespace),
               (SELECT 'STATISTICS ' || string_agg(a.attnum || '=' || a.attstattarget, ',' ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = ic.oid AND a.attstattarget >= 0)), ''), ''),
       NULL::text, e.extname::text, 'pg_constraint'::regclass::oid, k.oid, 0
FROM pg_constraint k
JOIN pg_namespace n ON n.oid = k.connamespace
LEFT JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_type t ON t.oid = k.contypid
LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN (SELECT g.tgconstraint, string_agg(DISTINCT g.tgenabled::text, '') AS states
           FROM pg_trigger g WHERE g.tgisinternal GROUP BY g.tgconstraint) ri
       ON ri.tgconstraint = k.oid AND k.contype = 'f'
LEFT JOIN pg_depend x ON x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass AND x.objsubid = 0
      AND x.classid = CASE WHEN k.contypid <> 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END
      AND x.objid = CASE WHEN k.contypid <> 0 THEN k.contypid ELSE k.conrelid END
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE k.contype <> 't' AND (c.relpersistence IS NULL OR c.relpersistence <> 't')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
