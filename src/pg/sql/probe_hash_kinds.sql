-- Number of hashes per kind; no hash leaves the server. The kinds are those of the auth service
-- (internal/crypto/password.go).
SELECT CASE WHEN encrypted_password IS NULL OR encrypted_password = '' THEN 'none'
            WHEN encrypted_password ~ '^\$2[aby]\$' THEN 'bcrypt'
            WHEN encrypted_password ~ '^\$argon2' THEN 'argon2'
            WHEN encrypted_password ~ '^\$fbscrypt\$' THEN 'fbscrypt'
            WHEN encrypted_password ~ '^\{' THEN 'encrypted'
            ELSE 'other' END AS kind,
       count(*)
FROM auth.users
GROUP BY 1
ORDER BY 1
