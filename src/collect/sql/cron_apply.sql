
-- A job is matched by its name and user, or, without a name, by schedule and command. Past runs are not restored.
DECLARE
    state jsonb := /*DATA*/;
    is_super boolean := (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
    job record; have record; id bigint; db text; last bigint;
BEGIN
    IF to_regclass('cron.job') IS NULL THEN
        RAISE EXCEPTION 'pg_cron is not installed in this database' USING HINT = 'It lives in the database that cron.database_name names.';
    END IF;
    FOR job IN
        SELECT x.*, false AS is_end FROM jsonb_to_recordset(state -> 'jobs')
            AS x (jobid bigint, jobname text, schedule text, command text, database text, username text, active boolean)
        UNION ALL SELECT (state ->> 'last_jobid')::bigint + 1, NULL, NULL, NULL, NULL, NULL, false, true WHERE state ->> 'last_jobid' IS NOT NULL
        ORDER BY is_end, jobid
    LOOP
        db := CASE WHEN job.database = state ->> 'database' THEN current_database() ELSE job.database END;
        SELECT j.* INTO have FROM cron.job j
        WHERE j.username = job.username AND j.jobname::text IS NOT DISTINCT FROM job.jobname
          AND (job.jobname IS NOT NULL OR (j.schedule = job.schedule AND j.command = job.command))
        ORDER BY j.database <> db, j.jobid LIMIT 1;
        id := have.jobid;
        IF NOT FOUND THEN
            -- A job keeps its id if the sequence has not passed it. Only a superuser may set the id, so another role
            -- uses up the ids before it.
            IF has_sequence_privilege('cron.jobid_seq', 'SELECT') THEN
                SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO last FROM cron.jobid_seq s;
                IF is_super AND last < job.jobid - 1 THEN
                    PERFORM setval('cron.jobid_seq', job.jobid - 1);
                END IF;
                WHILE NOT is_super AND last < job.jobid - 1 AND last >= job.jobid - 1000 LOOP
                    PERFORM cron.unschedule(cron.schedule('stacksnap: a number that is taken', '0 0 31 2 *', 'SELECT'));
                    last := last + 1;
                END LOOP;
            END IF;
            CONTINUE WHEN job.is_end;
            IF is_super THEN
                -- cron.schedule() creates jobs for the calling role, and would replace a job of the same name.
                INSERT INTO cron.job (jobid, schedule, command, database, username, active, jobname)
                VALUES (CASE WHEN EXISTS (SELECT FROM cron.job j WHERE j.jobid = job.jobid) THEN nextval('cron.jobid_seq') ELSE job.jobid END,
                        job.schedule, job.command, db, job.username, job.active, job.jobname) RETURNING jobid INTO id;
            ELSIF job.username = current_user AND job.jobname IS NULL THEN
                id := cron.schedule(job.schedule, job.command);
            ELSIF job.username = current_user THEN
                id := cron.schedule(job.jobname, job.schedule, job.command);
            ELSE
                RAISE WARNING 'cron job % belongs to %: % cannot create it', coalesce(job.jobname, job.schedule), job.username, current_user;
                CONTINUE;
            END IF;
        END IF;
        SELECT j.* INTO have FROM cron.job j WHERE j.jobid = id;
        IF (have.schedule, have.command, have.database, have.active) IS DISTINCT FROM (job.schedule, job.command, db, job.active) THEN
            PERFORM cron.alter_job(job_id := id, schedule := job.schedule, command := job.command,
                                   database := CASE WHEN have.database <> db THEN db END, active := job.active);
        END IF;
    END LOOP;
END
