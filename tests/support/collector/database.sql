DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO postgres', current_database());
    EXECUTE format('ALTER DATABASE %I SET app.settings.jwt_secret TO ''super-secret-jwt-token-with-at-least-32-characters-long''', current_database());
    EXECUTE format('ALTER DATABASE %I SET search_path TO "$user", public, extensions', current_database());
    EXECUTE format('GRANT ALL ON DATABASE %I TO dashboard_user, postgres', current_database());
    EXECUTE format('GRANT CREATE ON DATABASE %I TO supabase_auth_admin WITH GRANT OPTION', current_database());
    EXECUTE format('ALTER ROLE cat_grantor IN DATABASE %I SET work_mem TO ''7MB''', current_database());
END $$
