SELECT part.catalog::text, sum(part.h)::text FROM part GROUP BY part.catalog
