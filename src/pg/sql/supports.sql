-- The parents that have to be dropped to drop the given object: part of a partition or child table cannot be dropped
-- alone. Topmost first, without the object itself. $1 and $2: its catalog and its OID.
WITH RECURSIVE above(class, oid, depth) AS (
    SELECT $1::oid, $2::oid, 0
    UNION ALL
    SELECT n.class, n.oid, a.depth + 1 FROM above a CROSS JOIN LATERAL (
        -- An index of a partition, standalone or of a constraint.
        SELECT 'pg_class'::regclass::oid AS class, h.inhparent AS oid
        FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhparent AND c.relkind IN ('i', 'I')
        WHERE h.inhrelid = CASE a.class WHEN 'pg_class'::regclass THEN a.oid
                           ELSE (SELECT k.conindid FROM pg_constraint k WHERE a.class = 'pg_constraint'::regclass
                                 AND k.oid = a.oid AND k.contype IN ('p', 'u', 'x')) END
        UNION ALL
        SELECT 'pg_constraint'::regclass, k.conparentid FROM pg_constraint k
        WHERE a.class = 'pg_constraint'::regclass AND k.oid = a.oid AND k.conparentid <> 0 AND k.contype = 'f'
        UNION ALL
        -- A CHECK is matched to its parent by name, a NOT NULL by column.
        SELECT 'pg_constraint'::regclass, u.oid
        FROM pg_constraint k
        JOIN pg_inherits h ON h.inhrelid = k.conrelid
        JOIN pg_constraint u ON u.conrelid = h.inhparent AND u.contype = k.contype AND NOT u.connoinherit
        WHERE a.class = 'pg_constraint'::regclass AND k.oid = a.oid AND k.contype IN ('c', 'n') AND k.coninhcount > 0
          AND CASE k.contype WHEN 'c' THEN u.conname = k.conname
              ELSE (SELECT p.attname FROM pg_attribute p WHERE p.attrelid = u.conrelid AND p.attnum = u.conkey[1])
                   = (SELECT c.attname FROM pg_attribute c WHERE c.attrelid = k.conrelid AND c.attnum = k.conkey[1]) END
        UNION ALL
        SELECT 'pg_trigger'::regclass, t.up
        FROM (SELECT g.oid, /*pg13+*/ g.tgparentid /*else*/ 0::oid /*end*/ AS up FROM pg_trigger g) t
        WHERE a.class = 'pg_trigger'::regclass AND t.oid = a.oid AND t.up <> 0
    ) n
), farthest AS (
    SELECT class, oid, max(depth) AS depth FROM above GROUP BY class, oid
)
SELECT x.kind, x.identity
FROM farthest f
CROSS JOIN LATERAL (
    SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' WHEN 'c' THEN 'CHECK CONSTRAINT' WHEN 'n' THEN 'NOT NULL CONSTRAINT'
           ELSE 'CONSTRAINT' END AS kind, format('%I on %I.%I', k.conname, n.nspname, c.relname) AS identity
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE f.class = 'pg_constraint'::regclass AND k.oid = f.oid
       OR f.class = 'pg_class'::regclass AND k.conindid = f.oid AND k.contype IN ('p', 'u', 'x')
    UNION ALL
    SELECT 'INDEX', format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE f.class = 'pg_class'::regclass AND c.oid = f.oid AND NOT EXISTS (
        SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 'TRIGGER', format('%I on %I.%I', g.tgname, n.nspname, c.relname)
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE f.class = 'pg_trigger'::regclass AND g.oid = f.oid
) x
WHERE f.depth > 0
ORDER BY f.depth DESC, x.kind, x.identity
