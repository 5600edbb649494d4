-- What policies say.
SELECT p.polrelid, concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p
ORDER BY p.polrelid, p.polname COLLATE "C"
