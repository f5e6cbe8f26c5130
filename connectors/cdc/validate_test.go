package cdc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE ok (a int PRIMARY KEY, b varchar(5) NOT NULL, c numeric(8,2)[], g int GENERATED ALWAYS AS (a) STORED);
		CREATE TABLE nopk (a int); CREATE TABLE nothing (a int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
		CREATE TABLE ful (a int); ALTER TABLE ful REPLICA IDENTITY FULL;
		CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS a; CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a;
		CREATE SEQUENCE seq; CREATE TABLE deferred (a int PRIMARY KEY DEFERRABLE);
		CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE ft (a int) SERVER s;
		CREATE TABLE rls (a int PRIMARY KEY); ALTER TABLE rls ENABLE ROW LEVEL SECURITY;
		CREATE TABLE parted (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
		CREATE TABLE mixed (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE mixed1 PARTITION OF mixed FOR VALUES FROM (0) TO (100);
		ALTER TABLE mixed1 REPLICA IDENTITY FULL;
		CREATE SCHEMA hidden; CREATE TABLE hidden.t (a int PRIMARY KEY); CREATE TABLE secret (a int PRIMARY KEY);
		DROP ROLE IF EXISTS plain, reader, owner_; CREATE ROLE plain LOGIN; CREATE ROLE reader LOGIN REPLICATION; CREATE ROLE owner_ LOGIN REPLICATION;
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain, reader; REVOKE SELECT ON secret FROM reader; GRANT SELECT ON hidden.t TO reader;
		CREATE TABLE owned (a int PRIMARY KEY); ALTER TABLE owned OWNER TO owner_;
		CREATE PUBLICATION partial FOR TABLE ok, ful; CREATE PUBLICATION inserts FOR TABLE ok WITH (publish = 'insert');
		CREATE PUBLICATION leaves FOR TABLE parted`)
	if server.Major() >= 15 {
		server.MustExec(t, db, "CREATE PUBLICATION cols FOR TABLE ok (a, c)")
	}
	server.MustExec(t, db, "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')")
	base := testConfig(server, db, "ok")
	for _, c := range []struct {
		name   string
		change func(*Config)
		code   pgerr.Code
		text   string
	}{
		{"missing table", func(c *Config) { c.TableSpecs[0].Name = "nosuch" }, pgerr.UndefinedTable, `relation "public"."nosuch" does not exist`},
		{"missing schema", func(c *Config) { c.TableSpecs, c.Schemas = nil, []string{"nosuch"} }, pgerr.InvalidSchemaName, "nosuch"},
		{"missing column", func(c *Config) { c.TableSpecs[0].Columns = []string{"a", "zz"} }, pgerr.UndefinedColumn, `"zz"`},
		{"column twice", func(c *Config) { c.TableSpecs[0].Columns = []string{"a", "a"} }, pgerr.DuplicateColumn, `"a"`},
		{"key column left out", func(c *Config) { c.TableSpecs[0].Columns = []string{"b"} }, pgerr.ObjectNotInPrerequisite, "replica identity"},
		{"generated column", func(c *Config) { c.TableSpecs[0].Columns = []string{"a", "g"} }, pgerr.FeatureNotSupported, "generated"},
		{"no primary key", func(c *Config) { c.TableSpecs[0].Name = "nopk" }, pgerr.ObjectNotInPrerequisite, "no primary key"},
		{"deferrable primary key", func(c *Config) { c.TableSpecs[0].Name = "deferred" }, pgerr.ObjectNotInPrerequisite, "no primary key"},
		{"identity nothing", func(c *Config) { c.TableSpecs[0].Name = "nothing" }, pgerr.ObjectNotInPrerequisite, "NOTHING"},
		{"unlogged", func(c *Config) { c.TableSpecs[0].Name = "unlogged" }, pgerr.WrongObjectType, "unlogged"},
		{"view", func(c *Config) { c.TableSpecs[0].Name = "v" }, pgerr.WrongObjectType, "a view"},
		{"materialized view", func(c *Config) { c.TableSpecs[0].Name = "mv" }, pgerr.WrongObjectType, "a materialized view"},
		{"sequence", func(c *Config) { c.TableSpecs[0].Name = "seq" }, pgerr.WrongObjectType, "a sequence"},
		{"foreign table", func(c *Config) { c.TableSpecs[0].Name = "ft" }, pgerr.WrongObjectType, "a foreign table"},
		{"mixed partitions", func(c *Config) { c.TableSpecs[0].Name = "mixed" }, pgerr.ObjectNotInPrerequisite, "partitions"},
		{"no replication", func(c *Config) { c.ConnectionString = server.DSNAs("plain", db) }, pgerr.InsufficientPrivilege, "REPLICATION"},
		{"no select", func(c *Config) { c.ConnectionString, c.TableSpecs[0].Name = server.DSNAs("reader", db), "secret" }, pgerr.InsufficientPrivilege, `table "public"."secret"`},
		{"no usage", func(c *Config) {
			c.ConnectionString, c.TableSpecs[0] = server.DSNAs("reader", db), TableSpec{Schema: "hidden", Name: "t"}
		}, pgerr.InsufficientPrivilege, `schema "hidden"`},
		{"row-level security", func(c *Config) { c.ConnectionString, c.TableSpecs[0].Name = server.DSNAs("reader", db), "rls" }, pgerr.InsufficientPrivilege, "row-level security"},
		{"not owner", func(c *Config) { c.ConnectionString = server.DSNAs("reader", db) }, pgerr.InsufficientPrivilege, "must be owner"},
		{"may not create publication", func(c *Config) { c.ConnectionString, c.TableSpecs[0].Name = server.DSNAs("owner_", db), "owned" }, pgerr.InsufficientPrivilege, "permission denied to create publication"},
		{"not published", func(c *Config) {
			c.PublicationName = "partial"
			c.TableSpecs = append(c.TableSpecs, TableSpec{Name: "parted"}, TableSpec{Name: "owned"})
		}, pgerr.ObjectNotInPrerequisite, `"public"."parted", "public"."owned"`},
		{"only inserts", func(c *Config) { c.PublicationName = "inserts" }, pgerr.ObjectNotInPrerequisite, "does not publish updates"},
		{"leaves published", func(c *Config) { c.PublicationName, c.TableSpecs[0].Name = "leaves", "parted" }, pgerr.ObjectNotInPrerequisite, "not part of publication"},
		{"column not published", func(c *Config) { c.PublicationName, c.TableSpecs[0].Columns = "cols", []string{"a", "b"} }, pgerr.ObjectNotInPrerequisite, `column "b"`},
		{"slot exists", func(c *Config) { c.SlotName = "taken" }, pgerr.DuplicateObject, `"taken" already exists`},
		{"another server", func(c *Config) { c.SystemID = "1" }, pgerr.ObjectNotInPrerequisite, "system identifier"},
		{"wrong database", func(c *Config) { c.ConnectionString = server.DSN("nosuch") }, pgerr.InvalidCatalogName, "nosuch"},
		{"wrong user", func(c *Config) { c.ConnectionString = server.DSNAs("nosuch", db) }, "28000", "nosuch"},
		{"nobody there", func(c *Config) {
			c.ConnectionString = "postgres://u:geheim@127.0.0.1:1/x"
		}, pgerr.ConnectionFailure, "connecting to the source"},
	} {
		cfg := base
		cfg.TableSpecs = slices.Clone(base.TableSpecs)
		if c.change(&cfg); cfg.PublicationName == "cols" && server.Major() < 15 {
			continue // publications have no column lists there
		}
		_, err := Validate(context.Background(), cfg)
		if pgerr.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %s: %v", c.name, pgerr.CodeOf(err), err)
		}
	}
	for _, name := range []string{"ok", "ful", "parted", "rls"} {
		cfg := testConfig(server, db, name)
		d, err := Validate(context.Background(), cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "ok" {
			want := types.Schema{{Name: "a", Type: types.T(types.Int4), NotNull: true},
				{Name: "b", Type: types.Type{OID: types.VarChar, Mod: 9}, NotNull: true},
				{Name: "c", Type: types.Type{OID: types.NumericArray, Mod: 8<<16 | 2 + 4}}}
			if !slices.Equal(d.Tables[0].Columns, want) || !slices.Equal(d.Tables[0].Key, []int{0}) || d.SystemID == "" || d.PublicationExists {
				t.Errorf("found %+v", d)
			}
		}
	}
	cfg := base
	cfg.PublicationName = "cols"
	if server.Major() < 15 {
		cfg.PublicationName, cfg.TableSpecs = "partial", []TableSpec{{Name: "ok", Columns: []string{"a", "c"}}}
	}
	if d, err := Validate(context.Background(), cfg); err != nil || len(d.Tables[0].Columns) != 2 {
		t.Errorf("column list: %v", err)
	}
	cfg = base
	cfg.TableSpecs, cfg.Schemas = nil, []string{"hidden"}
	if d, err := Validate(context.Background(), cfg); err != nil || len(d.Tables) != 1 || d.Tables[0].Schema != "hidden" {
		t.Errorf("schema: %v", err)
	}
	server.MustExec(t, db, "SELECT pg_drop_replication_slot('taken')")
}

func TestValidateServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value, text string
		code              pgerr.Code
	}{
		{"wal_level", "replica", "wal_level = replica", pgerr.ObjectNotInPrerequisite},
		{"max_wal_senders", "0", "max_wal_senders = 0", pgerr.ObjectNotInPrerequisite},
		{"max_replication_slots", "0", "all 0 replication slots", pgerr.ConfigurationLimitExceeded},
	} {
		srv := pgtest.Start(t, pgtest.Setting(c.name, c.value))
		srv.MustExec(t, "", "CREATE TABLE a (a int PRIMARY KEY)")
		_, err := Validate(context.Background(), testConfig(srv, "postgres", "a"))
		if pgerr.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %s: %v", c.name, pgerr.CodeOf(err), err)
		}
		var e *pgerr.Error
		if errors.As(err, &e) && e.Hint == "" {
			t.Errorf("%s: no hint", c.name)
		}
		srv.Close()
	}
}

// What is wrong in a statement is pointed at, before any server is asked.
func TestOptionPositions(t *testing.T) {
	t.Parallel()
	option := func(pos int, name, value string) connectors.Option {
		return connectors.Option{Name: name, Value: value, Pos: pos, ValuePos: pos + 5}
	}
	table := func(pos int, name string) connectors.TableSpec {
		return connectors.TableSpec{Schema: "public", Name: name, Pos: pos}
	}
	for _, c := range []struct {
		spec connectors.Spec
		code pgerr.Code
		text string
		pos  int
	}{
		{connectors.Spec{Options: []connectors.Option{option(10, "POLL_interval", "1s"), option(30, "slot_nam", "x")}}, pgerr.InvalidParameterValue, `unrecognized option "slot_nam"`, 30},
		{connectors.Spec{Options: []connectors.Option{option(10, "poll_interval", "1 parsec")}}, pgerr.InvalidParameterValue, "1 parsec", 15},
		{connectors.Spec{Options: []connectors.Option{option(10, "slot_name", "No")}}, pgerr.InvalidParameterValue, "is not valid", 15},
		{connectors.Spec{Options: []connectors.Option{option(10, "slot_name", "a"), option(30, "Slot_Name", "b")}}, pgerr.SyntaxError, "more than once", 30},
		{connectors.Spec{Options: []connectors.Option{option(10, "exactly_once", "no")}}, pgerr.FeatureNotSupported, "exactly_once", 15},
		{connectors.Spec{Tables: []connectors.TableSpec{table(10, "a"), table(20, "b"), table(30, "a")}}, pgerr.DuplicateTable, `"public"."a"`, 30},
	} {
		c.spec.Name, c.spec.Connection = "s", "host=/nonexistent"
		_, err := Connector{}.Create(t.Context(), c.spec)
		var e *pgerr.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.text) || e.Position != c.pos {
			t.Errorf("%+v: %+v", c.spec, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, text string }{
		{"slot_nam", "x", `unrecognized option "slot_nam"`},
		{"slot_name", "With-Dash", "is not valid"},
		{"slot_name", "", "is not valid"},
		{"slot_name", strings.Repeat("x", 64), "is not valid"},
		{"publication_name", "", "publication_name"},
		{"publication_name", strings.Repeat("p", 64), "1 to 63 bytes"},
		{"password_file", "", "password_file"},
		{"password_env", "A=b", "password_env"},
		{"password_secret", "", "password_secret"},
		{"slot_name", "ünder", "is not valid"},
		{"heartbeat_interval", "", "heartbeat_interval"},
		{"heartbeat_interval", "1e400s", "heartbeat_interval"},
		{"heartbeat_interval", "-5", "heartbeat_interval"},
		{"keepalive_timeout", "10ms", "at least 1s"},
		{"max_step_bytes", "32 MB", "max_step_bytes"},
		{"snapshot_mode", "sometimes", "sometimes"},
		{"heartbeat_interval", "10 parsecs", "heartbeat_interval"},
		{"poll_interval", "0", "poll_interval"},
		{"checkpoint_interval", "-1s", "checkpoint_interval"},
		{"buffer_size", "many", "buffer_size"},
		{"buffer_size", "0", "buffer_size"},
		{"max_step_rows", "3000000000", "max_step_rows"},
		{"exactly_once", "false", "exactly_once = false is not supported"},
		{"exactly_once", "maybe", "maybe"},
		{"failover", "perhaps", "perhaps"},
	} {
		var cfg Config
		err := cfg.ParseOptions(map[string]string{c.name: c.value})
		var e *pgerr.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message+e.Hint, c.text) || e.Hint == "" && e.Code != pgerr.FeatureNotSupported || (pgerr.CodeOf(err) != pgerr.InvalidParameterValue && pgerr.CodeOf(err) != pgerr.FeatureNotSupported) {
			t.Errorf("%s = %q: %s %v", c.name, c.value, pgerr.CodeOf(err), err)
		}
	}
	var cfg Config
	err := cfg.ParseOptions(map[string]string{"slot_name": "s", "publication_name": "p", "snapshot_mode": "never", "heartbeat_interval": "1min",
		"poll_interval": "50", "checkpoint_interval": "1 s", "buffer_size": "10", "max_step_rows": "11", "max_step_bytes": "12", "exactly_once": "on", "keepalive_timeout": "1m30s", "failover": "on", "heartbeat_query": "SELECT 1"})
	if err != nil || cfg.SnapshotMode != SnapshotNever || cfg.HeartbeatInterval != time.Minute || cfg.PollInterval != 50*time.Millisecond ||
		cfg.CheckpointInterval != time.Second || cfg.BufferSize != 10 || cfg.KeepaliveTimeout != 90*time.Second || !cfg.Failover || cfg.HeartbeatQuery != "SELECT 1" {
		t.Errorf("%+v, %v", cfg, err)
	}
	for _, cfg := range []Config{
		{SlotName: "s", PublicationName: "p", AllTables: true, HeartbeatQuery: "SELECT 1"},
		{SlotName: "s", PublicationName: "p", AllTables: true, Failover: true, TemporarySlot: true},
		{SlotName: "s", PublicationName: "p"},
		{SlotName: "s", PublicationName: "p", AllTables: true, Schemas: []string{"s"}},
		{SlotName: "s", PublicationName: "p", TableSpecs: []TableSpec{{Name: "a"}, {Schema: "public", Name: "a"}}},
		{SlotName: "s", PublicationName: "p", AllTables: true, ConnectionString: "postgres://u:ge/heim@x:y/z"},
		{SlotName: "s", PublicationName: "p", AllTables: true, ConnectionString: "password=geheim oops"},
		{SlotName: "s", PublicationName: "p", AllTables: true, ConnectionString: "host=x password=geheim sslmode=perhaps"},
		{SlotName: "s", PublicationName: "p", AllTables: true, BufferSize: -1},
	} {
		_, err := newFeed(cfg)
		var e *pgerr.Error
		if !errors.As(err, &e) || strings.Contains(e.Message+e.Detail+e.Hint, "heim") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
