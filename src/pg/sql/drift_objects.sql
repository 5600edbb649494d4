SELECT part.oid, part.h::numeric::text FROM part WHERE part.catalog = $1
