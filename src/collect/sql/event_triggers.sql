-- Event triggers that are not members of an extension.
SELECT t.evtname::text AS name, t.evtevent::text AS event, r.rolname::text AS owner, t.evtenabled::text AS enabled, t.evttags AS tags,
       n.nspname::text AS function_schema, p.proname::text AS function_name, p.prosrc AS source,
       pg_catalog.obj_description(t.oid, 'pg_event_trigger') AS comment
FROM pg_catalog.pg_event_trigger t
JOIN pg_catalog.pg_roles r ON r.oid = t.evtowner
JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_event_trigger'::regclass AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY t.evtname
