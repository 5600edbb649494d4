-- Triggers of users and of the platform, without internal ones and clones on partitions.
SELECT t.oid, t.tgname::text AS name, n.nspname::text AS schema, c.relname::text AS table, t.tgenabled::text AS enabled,
       pg_catalog.pg_get_triggerdef(t.oid) AS definition, t.tgnargs AS args, encode(t.tgargs, 'escape') AS arguments,
       p.oid AS function, p.proname::text AS function_name, f.nspname::text AS function_schema, o.rolname::text AS function_owner,
       pg_catalog.obj_description(t.oid, 'pg_trigger') AS comment,
       EXISTS (SELECT FROM pg_catalog.pg_depend e
               WHERE e.classid = 'pg_catalog.pg_trigger'::regclass AND e.objid = t.oid AND e.deptype = 'e') AS of_extension
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
JOIN pg_catalog.pg_roles o ON o.oid = p.proowner
WHERE NOT t.tgisinternal AND coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0' AND (n.nspname = ANY ($1) OR p.oid = ANY ($2))
ORDER BY n.nspname, c.relname, t.tgname
