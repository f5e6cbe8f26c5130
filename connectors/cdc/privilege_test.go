package cdc

import (
	"testing"
	"time"
)

// A role with what docs/cdc.md says, and no more, captures; with a
// publication made by the owner it needs no table of its own.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	role := "cdc_" + db
	server.MustExec(t, db, `CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, note text, secret text); INSERT INTO shop.orders VALUES (1, 'a', 's');
		REVOKE ALL ON DATABASE `+db+` FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;
		CREATE ROLE `+role+` LOGIN REPLICATION;
		GRANT CONNECT ON DATABASE `+db+` TO `+role+`;
		GRANT USAGE ON SCHEMA shop TO `+role+`;
		GRANT SELECT (id, note) ON shop.orders TO `+role+`;
		CREATE PUBLICATION pub FOR TABLE shop.orders`)
	cfg := eventsConfig(db, "shop.orders (id, note)")
	cfg.ConnectionString, cfg.PublicationName = server.DSNAs(role, db), "pub"
	r := startReader(t, cfg, nil)
	r.expect("read orders@1 after(id=1 note=a)")
	server.MustExec(t, db, "INSERT INTO shop.orders VALUES (2, 'b', 'hidden'); ALTER TABLE shop.orders ADD x int; UPDATE shop.orders SET note = 'c', x = 1 WHERE id = 2")
	r.expect("create orders@1 after(id=2 note=b)", "update orders@1 after(id=2 note=c)")
	at := r.src.Checkpoint().LSN
	for e, err := range r.src.Events(r.ctx) { // its heartbeat needs no grant either
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == Heartbeat && e.LSN > at {
			break
		}
	}
	if err := r.src.Confirm(r.src.Checkpoint()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	server.MustExec(t, db, "SELECT 1/(SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+cfg.SlotName+"' AND confirmed_flush_lsn > '"+at.String()+"')")
	t.Cleanup(func() {
		server.MustExec(t, db, "REVOKE ALL ON DATABASE "+db+" FROM "+role+"; DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	r.src.Close()
}
