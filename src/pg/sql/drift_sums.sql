-- With the number of each: one that was dropped and made anew, word for word, was away for a moment, and pg_dump writes
-- holes where it looked in that moment (an archive with CREATE FUNCTION f() RETURNS LANGUAGE sql, and exit code 0).
SELECT part.catalog::text, sum(hashtextextended(concat_ws(' ', part.oid, part.h), 0))::text FROM part GROUP BY part.catalog
