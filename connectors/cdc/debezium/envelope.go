// Package debezium writes and reads change events in the envelope of
// Debezium's PostgreSQL connector, and connector configurations in its
// property names, as its documentation describes them.
package debezium

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// The operations of an envelope.
const (
	OpCreate   = "c"
	OpUpdate   = "u"
	OpDelete   = "d"
	OpRead     = "r"
	OpTruncate = "t"
	OpMessage  = "m"
)

// An Envelope is the payload of a change event's value.
type Envelope struct {
	Before      *Fields      `json:"before"`
	After       *Fields      `json:"after"`
	Source      Source       `json:"source"`
	Op          string       `json:"op"`
	TsMs        int64        `json:"ts_ms"`
	TsUs        int64        `json:"ts_us,omitempty"`
	TsNs        int64        `json:"ts_ns,omitempty"`
	Transaction *Transaction `json:"transaction,omitempty"`
	Message     *Message     `json:"message,omitempty"`
}

// A Source is the source block: where an event comes from.
type Source struct {
	Version   string  `json:"version"`
	Connector string  `json:"connector"`
	Name      string  `json:"name"`
	TsMs      int64   `json:"ts_ms"`
	TsUs      int64   `json:"ts_us,omitempty"`
	TsNs      int64   `json:"ts_ns,omitempty"`
	Snapshot  Flag    `json:"snapshot"`
	DB        string  `json:"db"`
	Sequence  string  `json:"sequence,omitempty"`
	Schema    string  `json:"schema"`
	Table     string  `json:"table"`
	TxID      *uint32 `json:"txId"`
	LSN       *uint64 `json:"lsn"`
	Xmin      *int64  `json:"xmin"`
}

// A Flag is a boolean; it reads the words of later versions too ("first", "last").
type Flag bool

// UnmarshalJSON takes true, false, null and strings.
func (f *Flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "false", `"false"`, "null":
		*f = false
	case "true", `"true"`, `"first"`, `"last"`, `"first_in_data_collection"`, `"last_in_data_collection"`, `"incremental"`:
		*f = true
	default:
		return fmt.Errorf("snapshot is %s", b)
	}
	return nil
}

// A Transaction is the transaction block of an event.
type Transaction struct {
	ID                  string `json:"id"`
	TotalOrder          uint64 `json:"total_order"`
	DataCollectionOrder uint64 `json:"data_collection_order"`
}

// A Message is a logical message: its content as binary.handling.mode says.
type Message struct {
	Prefix  string `json:"prefix"`
	Content string `json:"content"`
}

// Fields is a row: values by column, in the columns' order.
type Fields struct {
	Names  []string
	Values []json.RawMessage
}

// Get gives a column's value as JSON; nil if it is not there.
func (f *Fields) Get(name string) json.RawMessage {
	if f != nil {
		for i, n := range f.Names {
			if n == name {
				return f.Values[i]
			}
		}
	}
	return nil
}

func (f *Fields) add(name string, value []byte) {
	f.Names, f.Values = append(f.Names, name), append(f.Values, value)
}

// MarshalJSON keeps the columns' order.
func (f *Fields) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, n := range f.Names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote(n)...), ':'), f.Values[i]...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON keeps the columns' order.
func (f *Fields) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("a row is no object: %.40s", b)
	}
	*f = Fields{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		f.add(t.(string), v)
	}
	return nil
}

func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string: no error
	return bytes.TrimRight(b.Bytes(), "\n")
}

// Deserialize reads an event's value, with or without its Connect schema. A
// tombstone (nothing, or null) gives nil. Errors have code 22P02.
func Deserialize(value []byte) (*Envelope, error) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || string(value) == "null" {
		return nil, nil
	}
	var wrapped struct {
		Schema  json.RawMessage `json:"schema"`
		Payload json.RawMessage `json:"payload"`
	}
	bad := func(err error) error {
		return pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid Debezium event: %w", err)
	}
	if err := json.Unmarshal(value, &wrapped); err != nil {
		return nil, bad(err)
	}
	if wrapped.Payload != nil {
		if value = wrapped.Payload; string(value) == "null" {
			return nil, nil
		}
	}
	var e Envelope
	if err := json.Unmarshal(value, &e); err != nil {
		return nil, bad(err)
	}
	var missing string
	switch e.Op {
	case OpCreate, OpRead, OpUpdate:
		if e.After == nil {
			missing = "after"
		}
	case OpDelete, OpTruncate:
	case OpMessage:
		if e.Message == nil {
			missing = "message"
		}
	default:
		return nil, bad(fmt.Errorf("op is %q", e.Op))
	}
	if missing != "" {
		return nil, bad(fmt.Errorf("op %q without %q", e.Op, missing))
	}
	return &e, nil
}
