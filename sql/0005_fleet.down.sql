-- Refuses where a person has added servers: that list is nowhere else.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.render_servers WHERE origin = 'added') THEN
        RAISE EXCEPTION 'table studio.render_servers holds servers that were added by hand, which undoing 0005_fleet would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP INDEX studio.render_leases_server;
DROP TABLE studio.render_servers;
