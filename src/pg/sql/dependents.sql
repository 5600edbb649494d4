-- Addresses of all objects that a DROP … CASCADE of the given ones drops, including themselves. If a dropped object is
-- an internal part of another one (a view's rule, a table's rowtype), that other object is dropped too.
WITH RECURSIVE gone(classid, objid) AS (
    SELECT * FROM unnest($1::oid[], $2::oid[])
    UNION
    SELECT n.classid, n.objid FROM gone g CROSS JOIN LATERAL (
        SELECT d.classid, d.objid FROM pg_depend d
        WHERE d.refclassid = g.classid AND d.refobjid = g.objid AND d.deptype IN ('n', 'a', 'i', 'P', 'S', 'x')
        UNION ALL
        SELECT d.refclassid, d.refobjid FROM pg_depend d
        WHERE d.classid = g.classid AND d.objid = g.objid AND d.deptype = 'i' AND d.refobjsubid = 0
    ) n
    WHERE n.objid >= 16384
)
SELECT classid, objid FROM gone
