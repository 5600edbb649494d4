-- Large objects: existence and owner; their contents are in the archive. Beyond 10,000, only their number and a
-- checksum per owner are listed, so that millions of them do not fill the memory.
WITH l AS (
    SELECT l.oid, r.rolname, count(*) OVER () AS everything
    FROM pg_largeobject_metadata l LEFT JOIN pg_roles r ON r.oid = l.lomowner
)
SELECT 'BLOB'::text, NULL::text, l.oid::text, ''::text, l.rolname::text, NULL::text,
       'pg_largeobject'::regclass::oid, l.oid, 0
FROM l WHERE l.everything <= 10000
UNION ALL
SELECT 'BLOB', NULL, 'large objects of ' || quote_ident(l.rolname),
       format('%s, sum %s', count(*), sum(hashtextextended(l.oid::text, 0))), l.rolname, NULL, NULL, NULL, 0
FROM l WHERE l.everything > 10000 GROUP BY l.rolname
