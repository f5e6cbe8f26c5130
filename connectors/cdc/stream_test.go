package cdc

import "testing"

func TestSnapshotThenStream(t *testing.T) {
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text);
		INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 20000) i;
		CREATE TABLE b (k text, n numeric(12,3)); ALTER TABLE b REPLICA IDENTITY FULL;
		INSERT INTO b VALUES ('x', 1.5), ('x', 1.5), (NULL, NULL);
		CREATE TABLE "Odd ""name" ("select" int PRIMARY KEY, "a b" text); INSERT INTO "Odd ""name" VALUES (1, 'ü')`)
	c := start(t, server, db, config(server, db, "a", "b", `Odd "name`))
	c.same()
	c.exec("UPDATE a SET v = 'new' WHERE id % 100 = 0; DELETE FROM a WHERE id BETWEEN 5 AND 50; INSERT INTO a VALUES (-1, NULL)")
	c.exec("DELETE FROM b WHERE ctid = '(0,1)'; UPDATE b SET n = 2 WHERE k IS NULL; INSERT INTO b VALUES ('x', 7)")
	c.exec(`UPDATE "Odd ""name" SET "select" = 2`)
	c.same()
	c.exec("BEGIN; INSERT INTO a VALUES (100000, 'a'); SAVEPOINT s; INSERT INTO a VALUES (100001, 'b'); ROLLBACK TO s; INSERT INTO b VALUES ('y', 0); COMMIT")
	c.exec("BEGIN; DELETE FROM a; ROLLBACK")
	c.same()
	c.exec("TRUNCATE b, a; INSERT INTO b VALUES ('after', 1)")
	c.exec("BEGIN; INSERT INTO a VALUES (1, 'gone'); TRUNCATE a; INSERT INTO a VALUES (2, 'stays'); COMMIT")
	c.same()
	n := len(c.txns)
	c.resume()
	c.exec("INSERT INTO a VALUES (3, 'after the restart')")
	c.same()
	if len(c.txns) != n+1 {
		t.Fatalf("%d transactions after the restart, want 1", len(c.txns)-n)
	}
}
