-- Sets the claims that the API gateway sets for a signed-in user, for this transaction. $1: the user's ID; NULL: the
-- first user.
SELECT u.id::text,
       pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_build_object(
           'sub', u.id, 'role', 'authenticated', 'aud', 'authenticated', 'aal', 'aal1', 'email', v.u ->> 'email', 'phone', v.u ->> 'phone',
           'app_metadata', v.u -> 'raw_app_meta_data', 'user_metadata', v.u -> 'raw_user_meta_data',
           'is_anonymous', coalesce(v.u -> 'is_anonymous', 'false'))::text, true) IS NOT NULL,
       pg_catalog.set_config('request.jwt.claim.sub', u.id::text, true) IS NOT NULL,
       pg_catalog.set_config('request.jwt.claim.role', 'authenticated', true) IS NOT NULL,
       pg_catalog.set_config('request.jwt.claim.email', coalesce(v.u ->> 'email', ''), true) IS NOT NULL
FROM (SELECT w.id FROM auth.users w WHERE $1::text IS NULL OR w.id::text = $1 ORDER BY w.id LIMIT 1) first
JOIN auth.users u ON u.id = first.id
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(u.*) AS u) v
