SET search_path = '';
WITH space AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast|temp)' AND nspname NOT IN ('pg_catalog', 'information_schema')
), who AS (
    SELECT 0::oid AS oid, 'PUBLIC'::text AS name UNION ALL SELECT oid, rolname FROM pg_catalog.pg_roles
), acls (kind, identity, acl, standard) AS (
    SELECT 'schema', n.nspname::text, n.nspacl, acldefault('n', n.nspowner) FROM pg_namespace n JOIN space USING (oid)
    UNION ALL
    SELECT 'relation', s.nspname || '.' || c.relname, c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'column', s.nspname || '.' || c.relname || '.' || a.attname, a.attacl, '{}'
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN space s ON s.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT 'routine', p.oid::regprocedure::text, p.proacl, acldefault('f', p.proowner) FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'type', t.oid::regtype::text, t.typacl, acldefault('T', t.typowner) FROM pg_type t JOIN space s ON s.oid = t.typnamespace
    UNION ALL
    SELECT 'language', lanname::text, lanacl, acldefault('l', lanowner) FROM pg_language
    UNION ALL
    SELECT 'fdw', fdwname::text, fdwacl, acldefault('F', fdwowner) FROM pg_foreign_data_wrapper
    UNION ALL
    SELECT 'server', srvname::text, srvacl, acldefault('S', srvowner) FROM pg_foreign_server
    UNION ALL
    SELECT 'large object', oid::text, lomacl, acldefault('L', lomowner) FROM pg_largeobject_metadata
    UNION ALL
    SELECT 'database', '', datacl, acldefault('d', datdba) FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'default ' || d.defaclobjtype::text, r.rolname || '@' || coalesce(n.nspname, '*'), d.defaclacl, '{}'
    FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
)
SELECT regexp_replace(kind || ' | ' || identity || ' | ' || coalesce(definition, ''), '[\n\r]', ' ', 'g') FROM (
    SELECT 'acl ' || kind AS kind, identity, concat_ws(' ', g.name, 'by', b.name, x.privilege_type, x.is_grantable) AS definition
    FROM acls, aclexplode(coalesce(acl, standard)) x LEFT JOIN who g ON g.oid = x.grantee LEFT JOIN who b ON b.oid = x.grantor
    UNION ALL
    SELECT 'policy', polrelid::regclass || '.' || polname, concat_ws(' ', polpermissive, polcmd, (SELECT string_agg(r::regrole::text, ',' ORDER BY r::regrole::text) FROM unnest(polroles) r),
           pg_get_expr(polqual, polrelid), '/', pg_get_expr(polwithcheck, polrelid), obj_description(oid, 'pg_policy')) FROM pg_policy
    UNION ALL
    SELECT 'rls', oid::regclass::text, concat_ws(' ', relrowsecurity, relforcerowsecurity, relreplident) FROM pg_class WHERE relkind IN ('r', 'p')
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', p.proowner::regrole, obj_description(p.oid, 'pg_proc'), p.prokind,
           CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE pg_get_function_arguments(p.oid) END)
    FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'aggregate', aggfnoid::regprocedure::text, to_jsonb(a)::text FROM pg_aggregate a JOIN pg_proc p ON p.oid = aggfnoid JOIN space s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'trigger', tgrelid::regclass || '.' || tgname, tgenabled::text || ' ' || pg_get_triggerdef(oid) || coalesce(obj_description(oid, 'pg_trigger'), '')
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'event trigger', evtname, concat_ws(' ', evtevent, evtenabled, evtowner::regrole, evtfoid::regproc, evttags::text, obj_description(oid, 'pg_event_trigger'))
    FROM pg_event_trigger
    UNION ALL
    SELECT 'view', c.oid::regclass::text, concat_ws(' ', c.relowner::regrole, c.reloptions::text, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'))
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace WHERE c.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN space s ON s.oid = c.relnamespace
    UNION ALL
    SELECT 'publication', pubname, (to_jsonb(p) - 'oid')::text FROM pg_publication p
    UNION ALL
    SELECT 'publication table', p.pubname || ' ' || r.prrelid::regclass, concat_ws(' ', r.prattrs::text, pg_get_expr(r.prqual, r.prrelid))
    FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid
    UNION ALL
    SELECT 'publication schema', p.pubname || ' ' || n.pnnspid::regnamespace, '' FROM pg_publication_namespace n JOIN pg_publication p ON p.oid = pnpubid
    UNION ALL
    SELECT 'extension', extname, concat_ws(' ', extversion, extnamespace::regnamespace) FROM pg_extension
    UNION ALL
    SELECT 'setting', coalesce(setrole::regrole::text, '') || CASE setdatabase WHEN 0 THEN '' ELSE ' here' END, setconfig::text
    FROM pg_db_role_setting WHERE setdatabase = 0 OR setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL
    SELECT 'role', rolname, (to_jsonb(a) - 'oid')::text || coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_authid a WHERE rolname !~ '^pg_'
    UNION ALL
    SELECT 'member', m.member::regrole::text || ' of ' || m.roleid::regrole::text, (to_jsonb(m) - '{oid,roleid,member,grantor}'::text[])::text || m.grantor::regrole
    FROM pg_auth_members m
) t (kind, identity, definition);
