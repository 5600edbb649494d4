-- Comments and security labels of all objects except built-in ones.
WITH c AS (
    SELECT 'COMMENT'::text AS kind, d.classoid, d.objoid, d.objsubid, NULL::text AS provider, d.description AS text
    FROM pg_description d
    -- The OID of a large object can be chosen by the user, so it may be below 16384.
    WHERE d.objoid >= 16384 OR d.classoid = 'pg_largeobject'::regclass OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = 2200)
    UNION ALL
    SELECT 'COMMENT', d.classoid, d.objoid, 0, NULL, d.description FROM pg_shdescription d
    WHERE d.classoid = 'pg_authid'::regclass AND (d.objoid >= 16384 OR d.objoid = 10)
       OR d.classoid = 'pg_database'::regclass AND d.objoid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
    UNION ALL
    SELECT 'SECURITY LABEL', s.classoid, s.objoid, s.objsubid, s.provider, s.label FROM pg_seclabel s
    UNION ALL
    SELECT 'SECURITY LABEL', s.classoid, s.objoid, 0, s.provider, s.label FROM pg_shseclabel s
    WHERE s.classoid = 'pg_authid'::regclass
       OR s.classoid = 'pg_database'::regclass AND s.objoid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
)
SELECT c.kind, i.schema,
       concat_ws(' ', coalesce(CASE i.type WHEN 'database' THEN 'database' ELSE i.type || ' ' || i.identity END, 'oid ' || c.objoid),
                 'by ' || c.provider),
       c.text, NULL::text, e.extname::text, c.classoid, c.objoid, c.objsubid
FROM c
CROSS JOIN LATERAL pg_identify_object(c.classoid, c.objoid, c.objsubid) i
LEFT JOIN pg_depend x ON x.classid = c.classoid AND x.objid = c.objoid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
-- DROP SUBSCRIPTION leaves the comment on the dropped subscription behind.
WHERE i.identity IS NOT NULL OR c.classoid <> 'pg_subscription'::regclass
