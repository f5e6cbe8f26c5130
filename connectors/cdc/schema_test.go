package cdc

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A change of a captured column stops its table with an error that names it;
// other tables, and changes of other columns, go on.
func TestSchemaChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ddl string
		code      pgerr.Code // "": goes on
		text      string
	}{
		{"add column", "ALTER TABLE a ADD extra int DEFAULT 7", "", ""},
		{"add and drop", "ALTER TABLE a ADD extra int; INSERT INTO a VALUES (98, 'x', 1, 2); ALTER TABLE a DROP extra", "", ""},
		{"rename table", "ALTER TABLE a RENAME TO a2; ALTER TABLE a2 RENAME TO a", "", ""},
		{"drop column that is not captured", "ALTER TABLE a DROP spare", "", ""},
		{"drop column", "ALTER TABLE a DROP v", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped or renamed`},
		{"rename column", "ALTER TABLE a RENAME v TO w", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped or renamed`},
		{"drop and add again", "ALTER TABLE a DROP v; ALTER TABLE a ADD v text", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped and added again`},
		{"drop and add the last again", "ALTER TABLE a DROP spare; INSERT INTO a VALUES (97, 'x'); ALTER TABLE a DROP v; ALTER TABLE a ADD v text", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped and added again`},
		{"change type", "ALTER TABLE a ALTER v TYPE varchar(100)", pgerr.DatatypeMismatch, `type of column "v"`},
		{"drop not null and use it", "ALTER TABLE a ALTER v DROP NOT NULL; UPDATE a SET v = NULL WHERE id = 1", pgerr.NotNullViolation, `null value in column "v"`},
		{"identity full", "ALTER TABLE a REPLICA IDENTITY FULL", "", ""},
		{"identity nothing", "ALTER TABLE a REPLICA IDENTITY NOTHING", "", ""},
		{"other key", "ALTER TABLE a DROP CONSTRAINT a_pkey; ALTER TABLE a ADD PRIMARY KEY (v)", pgerr.ObjectNotInPrerequisite, "replica identity"},
		{"table f to default", "ALTER TABLE f ADD PRIMARY KEY (id); ALTER TABLE f REPLICA IDENTITY DEFAULT", pgerr.ObjectNotInPrerequisite, `replica identity of table "public"."f"`},
		{"drop table", "DROP TABLE a", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := server.CreateDatabase(t)
			server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text NOT NULL, spare int); INSERT INTO a VALUES (1, 'one'), (2, 'two');
				CREATE TABLE f (id int, v text); ALTER TABLE f REPLICA IDENTITY FULL; CREATE TABLE other (id int PRIMARY KEY)`)
			cfg := testConfig(server, db, "a", "f", "other")
			cfg.TableSpecs[0].Columns = []string{"id", "v"}
			d, err := Validate(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			// As the engine stores it.
			b, err := json.Marshal(d.Pinned(cfg))
			if err != nil {
				t.Fatal(err)
			}
			cfg = Config{}
			if err := json.Unmarshal(b, &cfg); err != nil {
				t.Fatal(err)
			}
			c2 := start(t, server, db, cfg)
			c2.same()
			c2.exec(c.ddl)
			switch c.name {
			case "drop table":
			case "identity nothing":
				c2.exec("INSERT INTO a (id, v) VALUES (99, 'y')")
			default:
				c2.exec("UPDATE a SET id = 50 WHERE id = 1; INSERT INTO f VALUES (1, 'z'); UPDATE f SET v = 'y'")
			}
			c2.exec("INSERT INTO other VALUES (1)")
			c2.same()
			check := func(when string) {
				t.Helper()
				var got error
				for _, err := range c2.errs {
					got = err
				}
				if c.code == "" && got != nil || c.code != "" && (got == nil || pgerr.CodeOf(got) != c.code || !strings.Contains(got.Error(), c.text)) {
					t.Fatalf("%s: table errors %v", when, c2.errs)
				}
			}
			if c.name == "drop table" {
				if len(c2.errs) != 0 {
					t.Fatal(c2.errs)
				}
				c.code, c.text = pgerr.UndefinedTable, "does not exist"
			} else {
				check("streaming")
			}
			if c.name == "identity nothing" {
				c.code, c.text = pgerr.ObjectNotInPrerequisite, "NOTHING"
			}
			if c.name == "drop not null and use it" {
				return // only a NULL tells
			}
			c2.mu.Lock()
			c2.errs = nil
			c2.mu.Unlock()
			c2.resume()
			c2.exec("INSERT INTO other VALUES (2)")
			c2.same()
			check("after a restart")
		})
	}
}

func TestPartitioned(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE p (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
		INSERT INTO p SELECT i, 'x' FROM generate_series(0, 150) i;
		CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)`)
	c := start(t, server, db, testConfig(server, db, "p", "parent"))
	c.same()
	c.exec("UPDATE p SET v = 'y' WHERE id < 10; UPDATE p SET id = 199 WHERE id = 5; DELETE FROM p WHERE id = 120; INSERT INTO parent VALUES (3); INSERT INTO child VALUES (4)")
	c.exec("CREATE TABLE p3 (v text, id int NOT NULL PRIMARY KEY); INSERT INTO p3 VALUES ('attached later', 250); DELETE FROM p3; ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (200) TO (300); INSERT INTO p VALUES (201, 'new'), (202, 'new'); UPDATE p SET v = 'z' WHERE id = 201")
	c.same()
	c.exec("TRUNCATE p; INSERT INTO p VALUES (7, 'after')")
	c.same()
}

func TestPublicationFilter(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text, hidden text); INSERT INTO a SELECT i, 'x', 'secret' FROM generate_series(1, 100) i;
		CREATE TABLE b (id int PRIMARY KEY); CREATE PUBLICATION own FOR TABLE a (id, v) WHERE (id > 50), b`)
	cfg := testConfig(server, db, "a")
	cfg.PublicationName = "own"
	c := start(t, server, db, cfg)
	c.sync()
	c.exec("INSERT INTO a VALUES (0, 'below', ''), (101, 'above', ''); INSERT INTO b VALUES (1)")
	c.sync()
	if got := c.text(0); len(got) != 51 || len(c.tables[0].Columns) != 2 {
		t.Fatalf("%d rows of %v", len(got), c.tables[0].Columns)
	}
}
