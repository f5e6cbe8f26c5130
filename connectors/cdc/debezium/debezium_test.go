package debezium

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

var server *pgtest.Server

func TestMain(m *testing.M) {
	s, err := pgtest.Launch(pgtest.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server = s
	code := m.Run()
	s.Close()
	os.Exit(code)
}

// capture runs statements and gives the events up to the n-th.
func capture(t *testing.T, setup, sql string, n int, tables ...string) []*cdc.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, setup)
	cfg := cdc.Config{ConnectionString: server.DSN(db), Tables: tables, SlotName: "s_" + db, TransactionEvents: true}
	src, err := cdc.NewSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { src.Close(); cdc.DropSlot(context.Background(), cfg, true) }()
	// TRUNCATE is not MVCC-safe: the snapshot must have been read before it.
	conn := server.MustConnect(t, db)
	for streaming := false; !streaming; time.Sleep(5 * time.Millisecond) {
		if err := conn.QueryRow(ctx, "SELECT coalesce(bool_or(active), false) FROM pg_replication_slots WHERE slot_name = $1", cfg.SlotName).Scan(&streaming); err != nil {
			t.Fatal(err)
		}
	}
	server.MustExec(t, db, sql)
	var out []*cdc.Event
	for e, err := range src.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, e); len(out) == n {
			break
		}
	}
	return out
}

func serializer(t *testing.T, o Options) *Serializer {
	t.Helper()
	o.Name, o.Database, o.Version = "PostgreSQL_server", "postgres", "2.7"
	o.Now = func() time.Time { return time.Unix(1559033904, 863841257) }
	s, err := NewSerializer(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// same compares JSON, field by field; want is a format.
func same(t *testing.T, what string, got []byte, want string, args ...any) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v in %s", what, err, got)
	}
	if err := json.Unmarshal(fmt.Appendf(nil, want, args...), &w); err != nil {
		t.Fatalf("%s: %v in the test", what, err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, got, fmt.Sprintf(want, args...))
	}
}

// The events of the documentation's customers table.
func TestEnvelope(t *testing.T) {
	events := capture(t, `CREATE TABLE customers (id serial, first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL, email varchar(255) NOT NULL, PRIMARY KEY (id));
		INSERT INTO customers VALUES (1000, 'a', 'b', 'c')`,
		`BEGIN; INSERT INTO customers VALUES (1, 'Anne', 'Kretchmar', 'annek@noanswer.org');
		UPDATE customers SET first_name = 'Anne Marie' WHERE id = 1; UPDATE customers SET id = 2 WHERE id = 1; DELETE FROM customers WHERE id = 2;
		SELECT pg_logical_emit_message(true, 'foo', 'bar'); TRUNCATE customers; COMMIT`, 9, "customers")
	s := serializer(t, Options{TransactionMetadata: true})
	var records []Record
	for _, e := range events {
		r, err := s.Serialize(e)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r...)
	}
	if len(records) != 12 {
		t.Fatalf("%d records", len(records))
	}
	src := func(i int, schema, table string) string {
		e, txid, before := events[i], "null", fmt.Sprintf(`\"%d\"`, uint64(events[0].CommitLSN))
		if e.XID != 0 {
			txid = fmt.Sprint(e.XID)
		} else {
			before = "null"
		}
		return fmt.Sprintf(`{"version":"2.7","connector":"postgresql","name":"PostgreSQL_server","ts_ms":%d,"ts_us":%d,"ts_ns":%d,"snapshot":%v,"db":"postgres","sequence":"[%s,\"%d\"]",
			"schema":%q,"table":%q,"txId":%s,"lsn":%d,"xmin":null}`, e.CommitTime.UnixMilli(), e.CommitTime.UnixMicro(), e.CommitTime.UnixNano(), i == 0, before, uint64(e.LSN), schema, table, txid, uint64(e.LSN))
	}
	const times = `"ts_ms":1559033904863,"ts_us":1559033904863841,"ts_ns":1559033904863841257`
	row := func(id int, first string) string {
		return fmt.Sprintf(`{"id":%d,"first_name":%q,"last_name":"Kretchmar","email":"annek@noanswer.org"}`, id, first)
	}
	txn := func(i, total, order int) string {
		return fmt.Sprintf(`"transaction":{"id":"%d:%d","total_order":%d,"data_collection_order":%d}`, events[i].XID, uint64(events[i].LSN), total, order)
	}
	c := func(i int) string { return src(i, "public", "customers") }
	same(t, "read", records[0].Value, `{"before":null,"after":{"id":1000,"first_name":"a","last_name":"b","email":"c"},"source":%s,"op":"r",%s}`, c(0), times)
	same(t, "begin", records[1].Value, `{"status":"BEGIN","id":"%d:%d","ts_ms":%d,"event_count":null,"data_collections":null}`, events[1].XID, uint64(events[1].LSN), events[1].CommitTime.UnixMilli())
	same(t, "create", records[2].Value, `{"before":null,"after":%s,"source":%s,"op":"c",%s,%s}`, row(1, "Anne"), c(2), times, txn(2, 1, 1))
	same(t, "update", records[3].Value, `{"before":null,"after":%s,"source":%s,"op":"u",%s,%s}`, row(1, "Anne Marie"), c(3), times, txn(3, 2, 2))
	same(t, "key update's delete", records[4].Value, `{"before":{"id":1},"after":null,"source":%s,"op":"d",%s,%s}`, c(4), times, txn(4, 3, 3))
	if records[5].Value != nil || string(records[5].Key) != `{"id":1}` || records[4].Headers["__debezium.newkey"] != `{"id":2}` || records[6].Headers["__debezium.oldkey"] != `{"id":1}` {
		t.Errorf("key update: %+v", records[4:7])
	}
	same(t, "key update's create", records[6].Value, `{"before":null,"after":%s,"source":%s,"op":"c",%s,%s}`, row(2, "Anne Marie"), c(4), times, txn(4, 4, 4))
	same(t, "delete", records[7].Value, `{"before":{"id":2},"after":null,"source":%s,"op":"d",%s,%s}`, c(5), times, txn(5, 5, 5))
	if records[8].Value != nil || string(records[8].Key) != `{"id":2}` || records[8].Topic != "PostgreSQL_server.public.customers" {
		t.Errorf("tombstone: %+v", records[8])
	}
	same(t, "message", records[9].Value, `{"source":%s,"op":"m",%s,"message":{"prefix":"foo","content":"YmFy"},%s}`, src(6, "", ""), times, txn(6, 6, 1))
	same(t, "message key", records[9].Key, `{"prefix":"foo"}`)
	same(t, "truncate", records[10].Value, `{"source":%s,"op":"t",%s,%s}`, c(7), times, txn(7, 7, 6))
	if records[10].Key != nil {
		t.Errorf("truncate has key %s", records[10].Key)
	}
	same(t, "end", records[11].Value, `{"status":"END","id":"%d:%d","ts_ms":%d,"event_count":7,"data_collections":[{"data_collection":"public.customers","event_count":6}]}`,
		events[8].XID, uint64(events[8].LSN), events[8].CommitTime.UnixMilli())
	for _, i := range []int{0, 2, 3, 4, 7} { // and back
		e, err := Deserialize(records[i].Value)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := json.Marshal(e)
		same(t, "again", again, "%s", records[i].Value)
	}
	// With the Connect schema.
	s = serializer(t, Options{Schemas: true})
	r, err := s.Serialize(events[2])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "key with schema", r[0].Key, `{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":"PostgreSQL_server.public.customers.Key"},"payload":{"id":1}}`)
	var v struct {
		Schema struct {
			Name   string
			Fields []struct {
				Name, Field string
				Fields      []struct {
					Type, Field string
					Optional    bool
				}
			}
		}
	}
	if err := json.Unmarshal(r[0].Value, &v); err != nil {
		t.Fatal(err)
	}
	if v.Schema.Name != "PostgreSQL_server.public.customers.Envelope" || v.Schema.Fields[1].Name != "PostgreSQL_server.public.customers.Value" || v.Schema.Fields[1].Field != "after" ||
		v.Schema.Fields[2].Name != "io.debezium.connector.postgresql.Source" || v.Schema.Fields[1].Fields[1].Type != "string" || v.Schema.Fields[1].Fields[1].Optional {
		t.Errorf("schema %+v", v.Schema)
	}
	if e, err := Deserialize(r[0].Value); err != nil || e.Op != OpCreate || string(e.After.Get("id")) != "1" {
		t.Errorf("%+v, %v", e, err)
	}
}

// Each type in each mode, as the tables of the documentation say.
func TestValues(t *testing.T) {
	columns := []struct {
		typ, value string
		o          Options
		json, kind string // kind: Connect type and name
	}{
		{"boolean", "true", Options{}, `true`, "boolean"},
		{"bit(1)", "B'1'", Options{}, `true`, "boolean"},
		{"bit(10)", "B'1000000001'", Options{}, `"AQI="`, "bytes io.debezium.data.Bits"},
		{"bit varying", "B'101'", Options{}, `"BQ=="`, "bytes io.debezium.data.Bits"},
		{"smallint", "-5", Options{}, `-5`, "int16"},
		{"integer", "7", Options{}, `7`, "int32"},
		{"bigint", "9223372036854775807", Options{}, `9223372036854775807`, "int64"},
		{"oid", "4294967295", Options{}, `4294967295`, "int64"},
		{"real", "1.5", Options{}, `1.5`, "float"},
		{"double precision", "0.1", Options{}, `0.1`, "double"},
		{"double precision", "'NaN'", Options{}, `"NaN"`, "double"},
		{"char(4)", "'ab'", Options{}, `"ab  "`, "string"},
		{"varchar(9)", "'é\"'", Options{}, `"é\""`, "string"},
		{"timestamptz", "'2018-06-20 15:13:16.945104+02'", Options{}, `"2018-06-20T13:13:16.945104Z"`, "string io.debezium.time.ZonedTimestamp"},
		{"timetz", "'01:02:03.5+02'", Options{}, `"23:02:03.5Z"`, "string io.debezium.time.ZonedTime"},
		{"interval", "'1 month 2 days 3 seconds'", Options{}, `2802603000000`, "int64 io.debezium.time.MicroDuration"},
		{"interval", "'1 year 2 months 3 days 4 hours 5 minutes 6.78 seconds'", Options{IntervalMode: "string"}, `"P1Y2M3DT4H5M6.78S"`, "string io.debezium.time.Interval"},
		{"bytea", `'\x00ff7e'`, Options{}, `"AP9+"`, "bytes"},
		{"bytea", `'\x00ff7e'`, Options{BinaryMode: "base64"}, `"AP9+"`, "string"},
		{"bytea", `'\x00ff7e'`, Options{BinaryMode: "base64-url-safe"}, `"AP9-"`, "string"},
		{"bytea", `'\x00ff7e'`, Options{BinaryMode: "hex"}, `"00ff7e"`, "string"},
		{"json", `'{"a": 1}'`, Options{}, `"{\"a\": 1}"`, "string io.debezium.data.Json"},
		{"jsonb", `'{"a":1}'`, Options{}, `"{\"a\": 1}"`, "string io.debezium.data.Json"},
		{"xml", `'<a/>'`, Options{}, `"<a/>"`, "string io.debezium.data.Xml"},
		{"uuid", `'11111111-2222-3333-4444-555555555555'`, Options{}, `"11111111-2222-3333-4444-555555555555"`, "string io.debezium.data.Uuid"},
		{"point", `'(1,2.5)'`, Options{}, `{"x":1.0,"y":2.5}`, "struct io.debezium.data.geometry.Point"},
		{"inet", `'10.0.0.1/8'`, Options{}, `"10.0.0.1/8"`, "string"},
		{"int4range", `'[1,5]'`, Options{}, `"[1,6)"`, "string"},
		{"date", "'2018-06-20'", Options{}, `17702`, "int32 io.debezium.time.Date"},
		{"date", "'1969-12-31'", Options{TimeMode: "connect"}, `-1`, "int32 org.apache.kafka.connect.data.Date"},
		{"time(3)", "'04:05:06.789'", Options{}, `14706789`, "int32 io.debezium.time.Time"},
		{"time(6)", "'04:05:06.789012'", Options{}, `14706789012`, "int64 io.debezium.time.MicroTime"},
		{"time(3)", "'04:05:06.789'", Options{TimeMode: "adaptive_time_microseconds"}, `14706789000`, "int64 io.debezium.time.MicroTime"},
		{"time", "'04:05:06.789012'", Options{TimeMode: "connect"}, `14706789`, "int64 org.apache.kafka.connect.data.Time"},
		{"timestamp(3)", "'2018-06-20 15:13:16.945'", Options{}, `1529507596945`, "int64 io.debezium.time.Timestamp"},
		{"timestamp", "'2018-06-20 15:13:16.945104'", Options{}, `1529507596945104`, "int64 io.debezium.time.MicroTimestamp"},
		{"timestamp", "'2018-06-20 15:13:16.945104'", Options{TimeMode: "connect"}, `1529507596945`, "int64 org.apache.kafka.connect.data.Timestamp"},
		{"timestamp", "'infinity'", Options{}, `9223372036825200000`, "int64 io.debezium.time.MicroTimestamp"},
		{"timestamp", "'-infinity'", Options{}, `-9223372036832400000`, "int64 io.debezium.time.MicroTimestamp"},
		{"numeric(10,2)", "123.45", Options{}, `"MDk="`, "bytes org.apache.kafka.connect.data.Decimal"},
		{"numeric(10,2)", "-1.28", Options{}, `"gA=="`, "bytes org.apache.kafka.connect.data.Decimal"},
		{"numeric(3,-2)", "12300", Options{}, `"ew=="`, "bytes org.apache.kafka.connect.data.Decimal"},
		{"numeric", "1.280", Options{}, `{"scale":3,"value":"BQA="}`, "struct io.debezium.data.VariableScaleDecimal"},
		{"numeric(10,2)", "123.45", Options{DecimalMode: "double"}, `123.45`, "double"},
		{"numeric", "'NaN'", Options{DecimalMode: "double"}, `"NaN"`, "double"},
		{"numeric(10,2)", "123.4", Options{DecimalMode: "string"}, `"123.40"`, "string"},
		{"numeric", "'NaN'", Options{DecimalMode: "string"}, `"NAN"`, "string"},
		{"money", "1234.5", Options{}, `"AeI6"`, "bytes org.apache.kafka.connect.data.Decimal"},
		{"money", "-1.5", Options{DecimalMode: "double"}, `-1.5`, "double"},
		{"money", "1234.5", Options{DecimalMode: "string"}, `"1234.50"`, "string"},
		{"hstore", `'a=>1, "b c"=>NULL'`, Options{}, `"{\"a\":\"1\",\"b c\":null}"`, "string io.debezium.data.Json"},
		{"hstore", `'a=>1'`, Options{HstoreMode: "map"}, `{"a":"1"}`, "map"},
		{"int[]", "'{1,NULL,3}'", Options{}, `[1,null,3]`, "array"},
		{"text[]", "'{}'", Options{}, `[]`, "array"},
		{"mood", "'sad'", Options{}, `"sad"`, "string"},
		{"cents", "1.5", Options{DecimalMode: "string"}, `"1.50"`, "string"},
	}
	var defs, values []string
	for i, c := range columns {
		defs, values = append(defs, fmt.Sprintf("c%d %s", i, c.typ)), append(values, c.value)
	}
	setup := "CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN cents AS numeric(8,2); CREATE TABLE v (id int PRIMARY KEY, " + strings.Join(defs, ", ") + "); INSERT INTO v VALUES (1, " + strings.Join(values, ", ") + ")"
	events := capture(t, setup, "INSERT INTO v SELECT 2, "+strings.Repeat("NULL, ", len(columns)-1)+"NULL; UPDATE v SET id = 3 WHERE id = 1", 4, "v")
	for i, c := range columns {
		s := serializer(t, c.o)
		conv := s.o.converterOf(events[0].Table.Columns[i+1])
		if kind := strings.TrimSpace(conv.schema.Type + " " + conv.schema.Name); kind != c.kind {
			t.Errorf("%s %+v: schema %s, want %s", c.typ, c.o, kind, c.kind)
		}
		for _, e := range []*cdc.Event{events[0], events[3]} { // by the snapshot and by the stream
			got, err := conv.append(nil, e.After().Payload(i+1))
			if err != nil || string(got) != c.json {
				t.Errorf("%s %s %+v: got %s, %v, want %s", c.typ, c.value, c.o, got, err, c.json)
			}
		}
	}
	// NaN cannot be written as precise.
	if _, err := serializer(t, Options{}).Serialize(events[0]); pgerr.CodeOf(err) != pgerr.NumericValueOutOfRange {
		t.Error(err)
	}
}

func TestPlaceholder(t *testing.T) {
	events := capture(t, "CREATE TABLE a (id int PRIMARY KEY, v text, b bytea, n int); ALTER TABLE a ALTER v SET STORAGE EXTERNAL; ALTER TABLE a ALTER b SET STORAGE EXTERNAL; INSERT INTO a VALUES (1, repeat('x', 9000), decode(repeat('00', 9000), 'hex'), 1)",
		"UPDATE a SET n = 2", 3, "a")
	r, err := serializer(t, Options{}).Serialize(events[2])
	if err != nil {
		t.Fatal(err)
	}
	e, err := Deserialize(r[0].Value)
	if err != nil || string(e.After.Get("v")) != `"__debezium_unavailable_value"` || string(e.After.Get("b")) != `"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="` || string(e.After.Get("n")) != "2" {
		t.Fatalf("%s, %v", r[0].Value, err)
	}
}

func TestDeserializeErrors(t *testing.T) {
	for _, in := range []string{"{", "[]", `{"op":"x"}`, `{"op":"c"}`, `{"op":"m"}`, `{"op":"c","after":[]}`, `{"payload":{"op":"u","after":null}}`, `{"op":"d","source":{"snapshot":"what"}}`} {
		if e, err := Deserialize([]byte(in)); pgerr.CodeOf(err) != pgerr.InvalidTextRepresentation {
			t.Errorf("%s: %+v, %v", in, e, err)
		}
	}
	for _, in := range []string{"", "null", `{"schema":null,"payload":null}`} {
		if e, err := Deserialize([]byte(in)); e != nil || err != nil {
			t.Errorf("%s: %+v, %v", in, e, err)
		}
	}
}

func FuzzDeserialize(f *testing.F) {
	f.Add([]byte(`{"before":null,"after":{"id":1},"source":{"snapshot":"last","lsn":1},"op":"c","ts_ms":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := Deserialize(b); err == nil && e != nil {
			if _, err := json.Marshal(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	c := Postgres("db.example.com", 5433, "deb", "p@ss/w", "shop").WithTables("public.users", "inventory.Orders").WithSlot("shop_slot").WithPublication("shop_pub").
		WithSnapshotMode("never").WithName("fulfillment").With("heartbeat.interval.ms", "10000").With("heartbeat.action.query", "SELECT 1").With("slot.failover", "true").With("decimal.handling.mode", "string").With("name", "shop-connector").With("database.sslmode", "require")
	cfg := c.Config()
	if cfg.ConnectionString != "postgres://deb:p%40ss%2Fw@db.example.com:5433/shop?sslmode=require" || len(cfg.TableSpecs) != 2 || cfg.TableSpecs[1].Name != "Orders" ||
		cfg.SlotName != "shop_slot" || cfg.PublicationName != "shop_pub" || cfg.SnapshotMode != cdc.SnapshotNever || cfg.HeartbeatInterval != 10*time.Second || !cfg.Failover || cfg.HeartbeatQuery != "SELECT 1" {
		t.Fatalf("%+v", cfg)
	}
	if _, err := cdc.NewSource(cfg); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Options(); err != nil || o.Name != "fulfillment" || o.DecimalMode != "string" || o.Database != "shop" {
		t.Fatalf("%+v, %v", o, err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var j Connector
	if err := json.Unmarshal(data, &j); err != nil || !reflect.DeepEqual(&j, c) || !strings.Contains(string(data), `"config":{`) {
		t.Fatalf("%s: %v", data, err)
	}
	p, err := ParseProperties("# a comment\n" + c.Properties())
	if err != nil || !reflect.DeepEqual(p, c) {
		t.Fatalf("%s: %v", c.Properties(), err)
	}
	back, err := FromConfig(cfg)
	if err != nil || !reflect.DeepEqual(back.Config(), cfg) {
		t.Fatalf("%+v\n%+v, %v", back, cfg, err)
	}
	multi, err := ParseProperties("table.include.list = public.a,\\\n   public.b\ndatabase.user: x\\u0041\n! end")
	if err != nil || len(multi.Config().TableSpecs) != 2 || multi.Get("database.user") != "xA" {
		t.Fatalf("%+v, %v", multi, err)
	}
	for property, value := range map[string]string{
		"plugin.name": "decoderbufs", "table.include.list": "public.*", "snapshot.mode": "custom", "heartbeat.interval.ms": "soon", "transforms": "unwrap",
		"decimal.handling.mode": "exact", "slot.drop.on.stop": "true", "max.queue.size": "0", "tombstones.on.delete": "perhaps", "publication.autocreate.mode": "all_tables",
	} {
		err := Postgres("h", 1, "u", "p", "d").With(property, value).Validate()
		if err == nil || !strings.Contains(err.Error(), property) && !strings.Contains(err.Error(), value) || pgerr.CodeOf(err) == pgerr.InternalError {
			t.Errorf("%s=%s: %v", property, value, err)
		}
	}
}
