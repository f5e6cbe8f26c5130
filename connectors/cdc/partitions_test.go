package cdc

import (
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Changes through a tree of partitions, and partitions that are made, attached
// empty, rewritten and split off empty while the source runs.
func TestPartitionTree(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE p (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
		CREATE TABLE eu PARTITION OF p FOR VALUES IN ('eu') PARTITION BY RANGE (id);
		CREATE TABLE eu1 PARTITION OF eu FOR VALUES FROM (0) TO (100); CREATE TABLE eu2 (v text, id int NOT NULL, region text NOT NULL, PRIMARY KEY (region, id));
		ALTER TABLE eu ATTACH PARTITION eu2 FOR VALUES FROM (100) TO (200); CREATE TABLE rest PARTITION OF p DEFAULT;
		INSERT INTO p SELECT (ARRAY['eu','us'])[1 + i % 2], i, 'x' FROM generate_series(1, 150) i`)
	c := start(t, server, db, testConfig(server, db, "p"))
	c.same()
	c.exec("UPDATE p SET id = 199 WHERE id = 2; UPDATE p SET region = 'us' WHERE id = 4; UPDATE eu2 SET v = 'by leaf'; DELETE FROM eu WHERE id = 6; INSERT INTO eu1 VALUES ('eu', 7, 'leaf')")
	c.same()
	c.exec(`CREATE TABLE asia PARTITION OF p FOR VALUES IN ('asia') PARTITION BY HASH (id); CREATE TABLE asia0 PARTITION OF asia FOR VALUES WITH (MODULUS 1, REMAINDER 0);
		INSERT INTO p VALUES ('asia', 1, 'a'), ('asia', 2, 'b'); UPDATE p SET region = 'eu' WHERE region = 'asia' AND id = 1`)
	c.exec(`CREATE TABLE late (LIKE p INCLUDING ALL); ALTER TABLE eu ATTACH PARTITION late FOR VALUES FROM (200) TO (300); INSERT INTO p VALUES ('eu', 250, 'late')`)
	c.exec("VACUUM FULL eu1")
	c.exec("UPDATE eu1 SET v = 'rewritten' WHERE id < 50")
	c.same()
	c.exec("TRUNCATE p; INSERT INTO p VALUES ('eu', 1, 'after'), ('eu', 150, 'after'), ('us', 1, 'after')")
	c.same()
	if len(c.errs) > 0 {
		t.Fatal(c.errs)
	}
}

// Rows that come or go with a partition are not sent: the table stops as soon
// as that is seen, and other tables go on.
func TestPartitionsComeAndGo(t *testing.T) {
	t.Parallel()
	const setup = `CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE other (id int PRIMARY KEY);
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
		INSERT INTO p VALUES (1, 'a'), (101, 'b')`
	for _, c := range []struct {
		name, ddl, dml string // dml lets it be seen; "": the next connection does
		code           pgerr.Code
		text           string
	}{
		{"attached with rows", "CREATE TABLE p3 (LIKE p INCLUDING ALL); INSERT INTO p3 VALUES (201, 'x'); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (200) TO (300)",
			"INSERT INTO p VALUES (202, 'y')", pgerr.ObjectNotInPrerequisite, "p3 was attached with rows"},
		{"made with rows in one transaction", "BEGIN; CREATE TABLE p3 (LIKE p INCLUDING ALL); INSERT INTO p3 VALUES (201, 'x'); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (200) TO (300); COMMIT",
			"INSERT INTO p VALUES (202, 'y')", pgerr.ObjectNotInPrerequisite, "p3 was attached with rows"},
		{"detached", "ALTER TABLE p DETACH PARTITION p2", "", pgerr.ObjectNotInPrerequisite, "detached or dropped"},
		{"dropped", "DROP TABLE p2", "", pgerr.ObjectNotInPrerequisite, "detached or dropped"},
		{"truncated", "TRUNCATE p2", "INSERT INTO p VALUES (102, 'y')", pgerr.ObjectNotInPrerequisite, "p2 was truncated"},
		{"truncated, then seen by a connection", "TRUNCATE p2", "", pgerr.ObjectNotInPrerequisite, "p2 was truncated"},
		{"unlogged", "CREATE UNLOGGED TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300)", "", pgerr.WrongObjectType, "p3 is an unlogged table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := server.CreateDatabase(t)
			server.MustExec(t, db, setup)
			cfg := testConfig(server, db, "p", "other")
			d, err := Validate(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			c2 := start(t, server, db, d.Pinned(cfg))
			c2.same()
			c2.exec(c.ddl)
			if c.dml != "" {
				c2.exec(c.dml)
			} else {
				c2.until("the stream", func() bool { return slices.Contains(c2.statuses, "streaming") })
				c2.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + c2.cfg.SlotName + "'")
			}
			c2.until("the table to stop", func() bool { return c2.errs[0] != nil })
			if err := c2.errs[0]; pgerr.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%s: %v", pgerr.CodeOf(err), err)
			}
			c2.exec("INSERT INTO other VALUES (1)")
			c2.same()
			if n := len(c2.text(1)); n != 1 {
				t.Fatalf("%d rows of the other table", n)
			}
		})
	}
}
