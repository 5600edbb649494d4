-- Deletes rows of auth and storage whose parent row is missing: the parent was kept out (--auth-rows keep).
DO $stacksnap$
DECLARE
    k record; n bigint; progress boolean := true;
BEGIN
    WHILE progress LOOP
        progress := false;
        FOR k IN
            SELECT c.conrelid::pg_catalog.regclass AS child, c.confrelid::pg_catalog.regclass AS parent,
                   (SELECT pg_catalog.string_agg(pg_catalog.format('p.%I = c.%I', f.attname, a.attname), ' AND ')
                    FROM unnest(c.conkey, c.confkey) AS u(own, other)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.own
                    JOIN pg_catalog.pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = u.other) AS equal,
                   (SELECT pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', a.attname), ' AND ')
                    FROM pg_catalog.unnest(c.conkey) AS u(own)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.own) AS filled
            FROM pg_catalog.pg_constraint c
            JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
            JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
            WHERE c.contype = 'f' AND c.convalidated AND s.nspname IN ('auth', 'storage')
        LOOP
            EXECUTE pg_catalog.format('DELETE FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)',
                k.child, k.filled, k.parent, k.equal);
            GET DIAGNOSTICS n = ROW_COUNT;
            progress := progress OR n > 0;
        END LOOP;
    END LOOP;
END
$stacksnap$;
