package debezium

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Options say how events are written; the zero Options are Debezium's defaults
// without schemas.
type Options struct {
	Name     string // logical name, topic.prefix
	Database string
	Version  string // in the source block; "": helios-sql

	DecimalMode  string // decimal.handling.mode: precise (default), double, string
	TimeMode     string // time.precision.mode: adaptive (default), adaptive_time_microseconds, connect
	BinaryMode   string // binary.handling.mode: bytes (default), base64, base64-url-safe, hex
	IntervalMode string // interval.handling.mode: numeric (default), string
	HstoreMode   string // hstore.handling.mode: json (default), map
	Placeholder  string // unavailable.value.placeholder; "": __debezium_unavailable_value

	Schemas             bool // write {"schema": …, "payload": …}
	NoTombstones        bool // tombstones.on.delete = false
	TransactionMetadata bool // provide.transaction.metadata

	Now func() time.Time // the time of processing; nil: time.Now
}

func oneOf(at *string, property string, allowed ...string) error {
	if *at == "" {
		*at = allowed[0]
	}
	for _, a := range allowed {
		if *at == a {
			return nil
		}
	}
	return pgerr.Newf(pgerr.InvalidParameterValue, "invalid value for property %q: %q", property, *at).WithHint("Allowed are %s.", strings.Join(allowed, ", "))
}

func (o *Options) normalize() error {
	for _, c := range []struct {
		at       *string
		property string
		allowed  []string
	}{
		{&o.DecimalMode, "decimal.handling.mode", []string{"precise", "double", "string"}},
		{&o.TimeMode, "time.precision.mode", []string{"adaptive", "adaptive_time_microseconds", "connect"}},
		{&o.BinaryMode, "binary.handling.mode", []string{"bytes", "base64", "base64-url-safe", "hex"}},
		{&o.IntervalMode, "interval.handling.mode", []string{"numeric", "string"}},
		{&o.HstoreMode, "hstore.handling.mode", []string{"json", "map"}},
	} {
		if err := oneOf(c.at, c.property, c.allowed...); err != nil {
			return err
		}
	}
	if o.Placeholder == "" {
		o.Placeholder = "__debezium_unavailable_value"
	}
	if o.Version == "" {
		o.Version = "helios-sql"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// A Record is one message as it would be sent: a nil Value is a tombstone, a
// nil Key none.
type Record struct {
	Topic      string
	Key, Value []byte
	Headers    map[string]string
}

// A Serializer writes events. It keeps what the blocks need of earlier ones:
// one for each source, used by one goroutine.
type Serializer struct {
	o      Options
	tables map[*cdc.Table]*table
	commit uint64  // of the transaction before
	last   uint64  // of the present one
	total  uint64  // events of the present transaction
	counts []count // of tables, in the order of their first events
}

type count struct {
	table string
	n     uint64
}

// A table is what does not change from event to event.
type table struct {
	topic      string
	converters []converter
	key        []int
	keySchema  []byte
	schema     []byte
}

// NewSerializer checks the options.
func NewSerializer(o Options) (*Serializer, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	return &Serializer{o: o, tables: map[*cdc.Table]*table{}}, nil
}

func (s *Serializer) table(t *cdc.Table) *table {
	if known := s.tables[t]; known != nil {
		return known
	}
	d := &table{topic: sanitize(s.o.Name) + "." + sanitize(t.Schema) + "." + sanitize(t.Name), key: t.PrimaryKey}
	if len(d.key) == 0 {
		d.key = t.Key
	}
	row := fieldSchema{Type: "struct", Optional: true, Name: d.topic + ".Value"}
	for _, c := range t.Columns {
		conv := s.o.converterOf(c)
		conv.schema.Field, conv.schema.Optional = c.Name, !c.NotNull
		d.converters = append(d.converters, conv)
		row.Fields = append(row.Fields, &conv.schema)
	}
	key := fieldSchema{Type: "struct", Name: d.topic + ".Key"}
	for _, k := range d.key {
		key.Fields = append(key.Fields, row.Fields[k])
	}
	d.keySchema, _ = json.Marshal(key) // of plain fields: no error
	d.schema, _ = json.Marshal(s.envelopeSchema(d.topic, row))
	s.tables[t] = d
	return d
}

// sanitize makes a part of a name what Avro allows.
func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

func (s *Serializer) envelopeSchema(topic string, row fieldSchema) fieldSchema {
	field := func(typ, name string, optional bool) *fieldSchema {
		return &fieldSchema{Type: typ, Optional: optional, Field: name}
	}
	before, after := row, row
	before.Field, after.Field = "before", "after"
	snapshot := field("boolean", "snapshot", true)
	snapshot.Default = false
	source := &fieldSchema{Type: "struct", Name: "io.debezium.connector.postgresql.Source", Field: "source", Fields: []*fieldSchema{
		field("string", "version", false), field("string", "connector", false), field("string", "name", false),
		field("int64", "ts_ms", false), field("int64", "ts_us", true), field("int64", "ts_ns", true), snapshot,
		field("string", "db", false), field("string", "sequence", true), field("string", "schema", false), field("string", "table", false),
		field("int64", "txId", true), field("int64", "lsn", true), field("int64", "xmin", true)}}
	e := fieldSchema{Type: "struct", Name: topic + ".Envelope", Fields: []*fieldSchema{&before, &after, source,
		field("string", "op", false), field("int64", "ts_ms", true), field("int64", "ts_us", true), field("int64", "ts_ns", true)}}
	if s.o.TransactionMetadata {
		e.Fields = append(e.Fields, &fieldSchema{Type: "struct", Optional: true, Name: "event.block", Version: 1, Field: "transaction",
			Fields: []*fieldSchema{field("string", "id", false), field("int64", "total_order", false), field("int64", "data_collection_order", false)}})
	}
	return e
}

// row writes an image. Columns that are not known are left out, unchanged
// TOASTed values are the placeholder.
func (s *Serializer) row(d *table, t *cdc.Table, r cdc.Image) (*Fields, error) {
	if r.Len() == 0 {
		return nil, nil
	}
	var f Fields
	for i, c := range t.Columns {
		switch {
		case r.Unchanged(i):
			v := s.o.Placeholder
			if d.converters[i].schema.Type == "bytes" {
				v = s.o.binary([]byte(v))
			}
			f.add(c.Name, quote(v))
		case !r.Known(i):
		case r.Null(i):
			f.add(c.Name, []byte("null"))
		default:
			v, err := d.converters[i].append(nil, r.Payload(i))
			if err != nil {
				return nil, fmt.Errorf("column %q of table %s: %w", c.Name, t, err)
			}
			f.add(c.Name, v)
		}
	}
	return &f, nil
}

func (s *Serializer) key(d *table, f *Fields, t *cdc.Table) []byte {
	if len(d.key) == 0 || f == nil {
		return nil
	}
	var key Fields
	for _, k := range d.key {
		key.add(t.Columns[k].Name, f.Get(t.Columns[k].Name))
	}
	b, _ := key.MarshalJSON()
	return s.wrap(d.keySchema, b)
}

func (s *Serializer) wrap(schema, payload []byte) []byte {
	if !s.o.Schemas {
		return payload
	}
	return fmt.Appendf(nil, `{"schema":%s,"payload":%s}`, schema, payload)
}

func (s *Serializer) source(e *cdc.Event) Source {
	at := e.CommitTime
	src := Source{Version: s.o.Version, Connector: "postgresql", Name: s.o.Name, TsMs: at.UnixMilli(), TsUs: at.UnixMicro(), TsNs: at.UnixNano(),
		Snapshot: Flag(e.Snapshot != 0), DB: s.o.Database}
	lsn := uint64(e.LSN)
	src.LSN = &lsn
	if e.XID != 0 {
		src.TxID = &e.XID
	}
	if e.Table != nil {
		src.Schema, src.Table = e.Table.Schema, e.Table.Name
	}
	before := "null"
	if s.commit != 0 {
		before = `"` + strconv.FormatUint(s.commit, 10) + `"`
	}
	src.Sequence = fmt.Sprintf(`[%s,"%d"]`, before, lsn)
	return src
}

// Serialize gives the records of an event: none for a schema change or a
// heartbeat, three for an update that changes the key. With
// TransactionMetadata, Begin and Commit events give their own.
func (s *Serializer) Serialize(e *cdc.Event) ([]Record, error) {
	if c := uint64(e.CommitLSN); c != s.last {
		s.commit, s.last, s.total, s.counts = s.last, c, 0, nil
	}
	switch e.Type {
	case cdc.Begin, cdc.Commit:
		if !s.o.TransactionMetadata {
			return nil, nil
		}
		return s.boundary(e)
	case cdc.LogMessage:
		env := s.envelope(e, OpMessage)
		env.Message = &Message{e.Message.Prefix, s.o.binary(e.Message.Content)}
		key, err := json.Marshal(map[string]string{"prefix": e.Message.Prefix})
		if err != nil {
			return nil, err
		}
		topic := sanitize(s.o.Name) + ".message"
		return s.records(topic, s.wrap(fmt.Appendf(nil, `{"type":"struct","fields":[{"type":"string","optional":false,"field":"prefix"}],"optional":false,"name":"%s.Key"}`, topic), key), s.messageSchema(topic), env)
	case cdc.Truncate:
		d := s.table(e.Table)
		return s.records(d.topic, nil, d.schema, s.envelope(e, OpTruncate))
	case cdc.Create, cdc.Update, cdc.Delete, cdc.Read:
		return s.change(e)
	}
	return nil, nil
}

func (s *Serializer) messageSchema(topic string) []byte {
	schema := s.envelopeSchema(topic, fieldSchema{})
	content := &fieldSchema{Type: "bytes", Field: "content"}
	if s.o.BinaryMode != "bytes" {
		content.Type = "string"
	}
	schema.Fields = append(schema.Fields[2:], &fieldSchema{Type: "struct", Field: "message", Fields: []*fieldSchema{{Type: "string", Field: "prefix"}, content}})
	b, _ := json.Marshal(schema)
	return b
}

func (s *Serializer) change(e *cdc.Event) ([]Record, error) {
	d := s.table(e.Table)
	before, err := s.row(d, e.Table, e.Before())
	if err != nil {
		return nil, err
	}
	after, err := s.row(d, e.Table, e.After())
	if err != nil {
		return nil, err
	}
	op := map[cdc.EventType]string{cdc.Create: OpCreate, cdc.Update: OpUpdate, cdc.Delete: OpDelete, cdc.Read: OpRead}[e.Type]
	one := func(op string, before, after *Fields) ([]Record, error) {
		env := s.envelope(e, op)
		env.Before, env.After = before, after
		of := after
		if after == nil {
			of = before
		}
		return s.records(d.topic, s.key(d, of, e.Table), d.schema, env)
	}
	oldKey, newKey := s.key(d, before, e.Table), s.key(d, after, e.Table)
	if e.Type == cdc.Update && oldKey != nil && string(oldKey) != string(newKey) {
		deleted, err := one(OpDelete, before, nil)
		if err != nil {
			return nil, err
		}
		deleted[0].Headers = map[string]string{"__debezium.newkey": string(newKey)}
		if !s.o.NoTombstones {
			deleted = append(deleted, Record{Topic: d.topic, Key: oldKey})
		}
		created, err := one(OpCreate, nil, after)
		if err != nil {
			return nil, err
		}
		created[0].Headers = map[string]string{"__debezium.oldkey": string(oldKey)}
		return append(deleted, created...), nil
	}
	out, err := one(op, before, after)
	if err == nil && e.Type == cdc.Delete && !s.o.NoTombstones && oldKey != nil {
		out = append(out, Record{Topic: d.topic, Key: oldKey})
	}
	return out, err
}

func (s *Serializer) envelope(e *cdc.Event, op string) *Envelope {
	now := s.o.Now()
	env := &Envelope{Source: s.source(e), Op: op, TsMs: now.UnixMilli(), TsUs: now.UnixMicro(), TsNs: now.UnixNano()}
	if s.o.TransactionMetadata && e.XID != 0 {
		env.Transaction = &Transaction{ID: fmt.Sprintf("%d:%d", e.XID, uint64(e.LSN))}
		name := ""
		if e.Table != nil {
			name = e.Table.Schema + "." + e.Table.Name
		}
		s.total++
		env.Transaction.TotalOrder, env.Transaction.DataCollectionOrder = s.total, s.count(name)
	}
	return env
}

func (s *Serializer) count(name string) uint64 {
	for i := range s.counts {
		if s.counts[i].table == name {
			s.counts[i].n++
			return s.counts[i].n
		}
	}
	s.counts = append(s.counts, count{name, 1})
	return 1
}

// boundary writes a BEGIN or END event.
func (s *Serializer) boundary(e *cdc.Event) ([]Record, error) {
	type collection struct {
		Name  string `json:"data_collection"`
		Count uint64 `json:"event_count"`
	}
	v := struct {
		Status      string       `json:"status"`
		ID          string       `json:"id"`
		TsMs        int64        `json:"ts_ms"`
		EventCount  *uint64      `json:"event_count"`
		Collections []collection `json:"data_collections"`
	}{Status: "BEGIN", ID: fmt.Sprintf("%d:%d", e.XID, uint64(e.LSN)), TsMs: e.CommitTime.UnixMilli()}
	if e.Type == cdc.Commit {
		v.Status, v.EventCount = "END", &s.total
		for _, c := range s.counts {
			if c.table != "" {
				v.Collections = append(v.Collections, collection{c.table, c.n})
			}
		}
	}
	value, err := json.Marshal(v)
	return []Record{{Topic: sanitize(s.o.Name) + ".transaction", Value: value}}, err
}

func (s *Serializer) records(topic string, key, schema []byte, env *Envelope) ([]Record, error) {
	payload, err := marshal(env)
	return []Record{{Topic: topic, Key: key, Value: s.wrap(schema, payload)}}, err
}

// marshal leaves out before and after where Debezium does: of truncates and messages.
func marshal(env *Envelope) ([]byte, error) {
	if env.Op != OpTruncate && env.Op != OpMessage {
		return json.Marshal(env)
	}
	type short struct {
		Source      Source       `json:"source"`
		Op          string       `json:"op"`
		TsMs        int64        `json:"ts_ms"`
		TsUs        int64        `json:"ts_us,omitempty"`
		TsNs        int64        `json:"ts_ns,omitempty"`
		Transaction *Transaction `json:"transaction,omitempty"`
		Message     *Message     `json:"message,omitempty"`
	}
	return json.Marshal(short{env.Source, env.Op, env.TsMs, env.TsUs, env.TsNs, env.Transaction, env.Message})
}
