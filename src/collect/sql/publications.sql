-- Publications and their options. Columns that the server's version lacks are NULL.
SELECT p.oid, p.pubname::text AS name, r.rolname::text AS owner, p.puballtables AS all_tables,
       concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                 CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END) AS publish,
       (to_jsonb(p) ->> 'pubviaroot')::boolean AS via_root, to_jsonb(p) ->> 'pubgencols' AS generated,
       pg_catalog.obj_description(p.oid, 'pg_publication') AS comment,
       EXISTS (SELECT FROM pg_catalog.pg_depend e
               WHERE e.classid = 'pg_catalog.pg_publication'::regclass AND e.objid = p.oid AND e.deptype = 'e') AS of_extension
FROM pg_catalog.pg_publication p
JOIN pg_catalog.pg_roles r ON r.oid = p.pubowner
ORDER BY p.pubname
