-- Foreign keys as they were declared, with what compares each pair of columns. Those over periods of time are no equality.
SELECT f.conname::text, f.conrelid, f.confrelid, f.confdeltype = 'c', f.convalidated AND /*pg18+*/f.conenforced/*else*/true/*end*/,
       array_agg(c.attname::text ORDER BY k.place), array_agg(p.attname::text ORDER BY k.place),
       array_agg(CASE WHEN c.attcollation <> p.attcollation THEN format('COLLATE %I.%I ', ln.nspname, l.collname) ELSE '' END
                 || format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY k.place)
FROM pg_constraint f
CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY k (child, parent, operator, place)
JOIN pg_attribute c ON c.attrelid = f.conrelid AND c.attnum = k.child
JOIN pg_attribute p ON p.attrelid = f.confrelid AND p.attnum = k.parent
JOIN pg_operator o ON o.oid = k.operator
JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_collation l ON l.oid = p.attcollation
LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 AND NOT /*pg18+*/f.conperiod/*else*/false/*end*/
GROUP BY f.oid, f.conname, f.conrelid, f.confrelid, f.confdeltype, f.convalidated /*pg18+*/, f.conenforced/*else*//*end*/
ORDER BY f.conrelid, f.conname COLLATE "C"
