// Package cdc reads a PostgreSQL database's changes through logical
// replication (pgoutput): an initial snapshot, then every committed
// transaction, in commit order, as connectors.Source promises.
//
// The way of a change: stream.receive takes it off the socket, decoder.decode
// turns pgoutput into packed rows in place, assembler.commit makes a whole
// transaction of them.
package cdc

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A SnapshotMode says when the tables' present contents are read.
type SnapshotMode string

// The snapshot modes.
const (
	SnapshotInitial     SnapshotMode = "initial"      // when there is no position to start from
	SnapshotNever       SnapshotMode = "never"        // changes only
	SnapshotAlways      SnapshotMode = "always"       // at every start
	SnapshotInitialOnly SnapshotMode = "initial_only" // the contents, no changes
	SnapshotWhenNeeded  SnapshotMode = "when_needed"  // initial, and when the position is lost
)

// A Config says what to capture and how. It encodes to and from JSON.
type Config struct {
	// ConnectionString is a URI or keyword/value string as libpq takes it.
	ConnectionString string
	// PasswordFile holds the password alone; it is read at every connection, so
	// that it can be changed. "": the connection string, or what libpq looks at.
	PasswordFile string `json:",omitempty"`
	// PasswordEnv names an environment variable of this process that holds the password.
	PasswordEnv string `json:",omitempty"`
	// PasswordSecret names a secret of the SQL engine (CREATE SECRET); a program
	// has none.
	PasswordSecret string `json:",omitempty"`
	// Tables are the captured tables, each as ParseTable takes it: "users",
	// "public.users", "public.users (id, name) WHERE (id > 7)". TableSpecs are the same taken
	// apart; both may be given. Else AllTables of the database, or those of Schemas.
	Tables     []string    `json:",omitempty"`
	TableSpecs []TableSpec `json:",omitempty"`
	AllTables  bool        `json:",omitempty"`
	Schemas    []string    `json:",omitempty"`

	SlotName        string
	PublicationName string       // "": as the slot
	SnapshotMode    SnapshotMode // "": initial
	// TemporarySlot makes a slot that goes with the connection; what happens
	// while there is none is not seen. It cannot be resumed. With SnapshotInitialOnly it
	// says nothing: no other slot is made.
	TemporarySlot bool `json:",omitempty"`
	// ExactlyOnce says that every event is to be delivered once between a
	// Checkpoint and its Restore. It always is; the field may be left out.
	ExactlyOnce bool `json:",omitempty"`
	// Failover makes a slot that the server's standbys can keep up with, for a
	// promoted one to go on from (PostgreSQL 17 and later).
	Failover bool `json:",omitempty"`
	// TransactionEvents adds Begin and Commit events to those of Source.Events.
	TransactionEvents bool `json:",omitempty"`

	// KeepChunks says that the program keeps the rows of tables without a key, and
	// with SnapshotInitialOnly of all tables, by Event.Chunk while a snapshot lasts. Then these
	// go on when it is interrupted; else they begin anew.
	KeepChunks bool `json:",omitempty"`

	// HeartbeatInterval is how often a message is written to the source's log,
	// so that there is something to receive and confirm; 0: never. The slot of
	// an idle table advances without it while the server writes any log at all.
	HeartbeatInterval time.Duration `json:",omitempty"`
	// HeartbeatQuery is a statement that is run at the source with each
	// heartbeat, for instance an UPDATE of a table made for that.
	HeartbeatQuery string `json:",omitempty"`
	// PollInterval is how long progress without changes may wait until it is
	// passed on; changes never wait. 0: 100ms.
	PollInterval time.Duration `json:",omitempty"`
	// CheckpointInterval bounds how long a confirmed position may wait until
	// the server is told. 0: 1s.
	CheckpointInterval time.Duration `json:",omitempty"`
	// KeepaliveTimeout is how long the server may be silent, though asked for
	// an answer, until the connection counts as lost. 0: twice its wal_sender_timeout.
	KeepaliveTimeout time.Duration `json:",omitempty"`

	// BufferSize bounds the rows handed out and not yet released. 0: 100,000.
	BufferSize int `json:",omitempty"`
	// SnapshotWorkers is how many connections a snapshot is read by. 0: 2.
	SnapshotWorkers int `json:",omitempty"`
	// SnapshotChunkBytes is the size of the ranges of pages that tables are cut
	// into for a snapshot: what is read again at most when it is interrupted. 0: 64 MB.
	SnapshotChunkBytes int `json:",omitempty"`
	// MaxStepRows and MaxStepBytes bound a step of a large transaction. 0: 100,000 and 32 MB.
	MaxStepRows  int `json:",omitempty"`
	MaxStepBytes int `json:",omitempty"`

	// SpoolDir is where transactions that the server sends ahead of their
	// commit wait for it, in files without a name. "": os.TempDir. SpoolMinFree is how
	// many bytes stay free on its disk: beyond that they wait at the server. 0: 1 GB.
	SpoolDir     string `json:",omitempty"`
	SpoolMinFree int64  `json:",omitempty"`

	secret func(name string) (string, error) // the SQL engine's
	events bool                              // for a Source: definitions are followed, messages asked for

	// SystemID is the server's system identifier; another server is refused. "": any.
	SystemID string `json:",omitempty"`
	// Timeline is the server's, as of the position; one that did not branch off
	// it behind the position is refused. 0: any.
	Timeline uint32 `json:",omitempty"`
}

// A TableSpec names a table to capture.
type TableSpec struct {
	Schema  string
	Name    string
	Columns []string `json:",omitempty"` // empty: all
	// Where is a row filter as SQL (PostgreSQL 15): the source is the table of the
	// rows that pass it. An update into it is an insert, one out of it a delete.
	Where string `json:",omitempty"`
	// Pin is the table as it was when the source was created. A table that
	// has become incompatible since then stops with an error.
	Pin *Pin `json:",omitempty"`
	// Leaves are the partitions that the captured rows are of, by OID.
	Leaves map[string]Leaf `json:",omitzero"`
}

// A Pin is what must not change of a captured table.
type Pin struct {
	OID     uint32
	Columns types.Schema
	Attnums []int16 // pg_attribute.attnum of each column
	Key     []int
}

func (t TableSpec) String() string { return quoteIdent(t.Schema) + "." + quoteIdent(t.Name) }

const (
	defaultPollInterval       = 100 * time.Millisecond
	defaultCheckpointInterval = time.Second
	defaultBufferSize         = 100_000
	defaultMaxStepRows        = 100_000
	defaultMaxStepBytes       = 32 << 20
	defaultSpoolMinFree       = 1 << 30
	defaultSnapshotWorkers    = 2
	defaultSnapshotChunkBytes = 64 << 20
)

// normalize fills in defaults and checks what can be checked without a server.
func (c *Config) normalize() error {
	if c.SnapshotMode == "" {
		c.SnapshotMode = SnapshotInitial
	}
	switch c.SnapshotMode {
	case SnapshotInitial, SnapshotNever, SnapshotAlways, SnapshotInitialOnly, SnapshotWhenNeeded:
	default:
		return badOption("snapshot_mode", string(c.SnapshotMode), "initial, always, when_needed, initial_only or never")
	}
	if err := checkSlotName(c.SlotName); err != nil {
		return err
	}
	if c.PublicationName == "" {
		c.PublicationName = c.SlotName
	}
	if c.HeartbeatQuery != "" && c.HeartbeatInterval == 0 {
		return pgerr.Newf(pgerr.InvalidParameterValue, "a heartbeat query needs a heartbeat interval")
	}
	if c.PasswordFile != "" && c.PasswordEnv != "" || c.PasswordSecret != "" && c.PasswordFile+c.PasswordEnv != "" {
		return pgerr.Newf(pgerr.InvalidParameterValue, "a source's password is in a file, in an environment variable or in a secret")
	}
	if c.Failover && c.TemporarySlot {
		return pgerr.Newf(pgerr.InvalidParameterValue, "a temporary slot cannot be a failover slot")
	}
	if c.SnapshotMode == SnapshotInitialOnly {
		c.TemporarySlot = false
	}
	for _, name := range c.Tables {
		t, err := ParseTable(name)
		if err != nil {
			return err
		}
		c.TableSpecs = append(slices.Clone(c.TableSpecs), t)
	}
	c.Tables = nil
	if len(c.PublicationName) > 63 {
		return pgerr.Newf(pgerr.InvalidParameterValue, "invalid publication name %q", c.PublicationName).
			WithHint("A publication name has 1 to 63 bytes.")
	}
	ways := 0
	for _, w := range []bool{len(c.TableSpecs) > 0, c.AllTables, len(c.Schemas) > 0} {
		if w {
			ways++
		}
	}
	if ways != 1 {
		return pgerr.Newf(pgerr.InvalidParameterValue, "a source captures a list of tables, all tables, or the tables of schemas")
	}
	seen := map[string]bool{}
	c.TableSpecs = slices.Clone(c.TableSpecs)
	for i := range c.TableSpecs {
		t := &c.TableSpecs[i]
		if t.Schema == "" {
			t.Schema = "public"
		}
		if seen[t.String()] {
			return pgerr.Newf(pgerr.DuplicateTable, "table %s is specified more than once", t)
		}
		seen[t.String()] = true
	}
	defaults := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	defaults(&c.PollInterval, defaultPollInterval)
	defaults(&c.CheckpointInterval, defaultCheckpointInterval)
	for _, v := range []struct {
		at  *int
		def int
	}{{&c.BufferSize, defaultBufferSize}, {&c.MaxStepRows, defaultMaxStepRows}, {&c.MaxStepBytes, defaultMaxStepBytes},
		{&c.SnapshotWorkers, defaultSnapshotWorkers}, {&c.SnapshotChunkBytes, defaultSnapshotChunkBytes}} {
		if *v.at == 0 {
			*v.at = v.def
		}
	}
	if c.SpoolMinFree == 0 {
		c.SpoolMinFree = defaultSpoolMinFree
	}
	if c.SpoolMinFree < 0 || c.BufferSize < 0 || c.MaxStepRows < 0 || c.MaxStepBytes < 0 || c.SnapshotWorkers < 0 || c.SnapshotChunkBytes < 0 ||
		c.PollInterval < 0 || c.CheckpointInterval < 0 || c.HeartbeatInterval < 0 || c.KeepaliveTimeout < 0 {
		return pgerr.Newf(pgerr.InvalidParameterValue, "sizes and intervals of a source must not be negative")
	}
	return nil
}

// checkSlotName holds to PostgreSQL's rule of slot names.
func checkSlotName(name string) error {
	ok := name != "" && len(name) <= 63
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_')
	}
	if !ok {
		return pgerr.Newf(pgerr.InvalidParameterValue, "replication slot name %q is not valid", name).
			WithHint("Replication slot names may only contain lower case letters, numbers, and the underscore character, and have at most 63 bytes.")
	}
	return nil
}

// An option parses the value of a WITH option into a Config.
type option func(c *Config, name, value string) error

var options = map[string]option{
	"slot_name": func(c *Config, name, value string) error {
		c.SlotName = value
		return checkSlotName(value)
	},
	"password_file": func(c *Config, name, value string) error {
		if c.PasswordFile = value; value == "" {
			return badOption(name, value, "the path of a file that holds the password")
		}
		return nil
	},
	"password_env": func(c *Config, name, value string) error {
		if c.PasswordEnv = value; value == "" || strings.ContainsAny(value, "=\x00") {
			return badOption(name, value, "the name of an environment variable that holds the password")
		}
		return nil
	},
	"password_secret": func(c *Config, name, value string) error {
		if c.PasswordSecret = value; value == "" {
			return badOption(name, value, "the name of a secret that holds the password")
		}
		return nil
	},
	"publication_name": func(c *Config, name, value string) error {
		if c.PublicationName = value; value == "" || len(value) > 63 {
			return badOption(name, value, "a name of 1 to 63 bytes")
		}
		return nil
	},
	"snapshot_mode": func(c *Config, name, value string) error {
		switch c.SnapshotMode = SnapshotMode(value); c.SnapshotMode {
		case SnapshotInitial, SnapshotNever, SnapshotInitialOnly, SnapshotAlways, SnapshotWhenNeeded:
			return nil
		}
		return badOption(name, value, "initial, always, when_needed, initial_only or never")
	},
	"heartbeat_query": func(c *Config, _, value string) error {
		c.HeartbeatQuery = value
		return nil
	},
	"heartbeat_interval":   durationOption(func(c *Config) *time.Duration { return &c.HeartbeatInterval }, 0),
	"poll_interval":        durationOption(func(c *Config) *time.Duration { return &c.PollInterval }, time.Millisecond),
	"checkpoint_interval":  durationOption(func(c *Config) *time.Duration { return &c.CheckpointInterval }, time.Millisecond),
	"keepalive_timeout":    durationOption(func(c *Config) *time.Duration { return &c.KeepaliveTimeout }, time.Second),
	"buffer_size":          countOption(func(c *Config) *int { return &c.BufferSize }),
	"max_step_rows":        countOption(func(c *Config) *int { return &c.MaxStepRows }),
	"max_step_bytes":       countOption(func(c *Config) *int { return &c.MaxStepBytes }),
	"snapshot_workers":     countOption(func(c *Config) *int { return &c.SnapshotWorkers }),
	"snapshot_chunk_bytes": countOption(func(c *Config) *int { return &c.SnapshotChunkBytes }),
	"failover": func(c *Config, name, value string) (err error) {
		c.Failover, err = parseBool(name, value)
		return err
	},
	"exactly_once": func(c *Config, name, value string) error {
		yes, err := parseBool(name, value)
		if err == nil && !yes {
			return pgerr.Unsupported(0, "exactly_once = false")
		}
		return err
	},
}

// ParseOptions sets the options of CREATE SOURCE … WITH (…) in c. Its errors
// name the option and what is allowed.
func (c *Config) ParseOptions(opts map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		if err := c.ParseOption(name, opts[name]); err != nil {
			return err
		}
	}
	return nil
}

// ParseOption sets one option.
func (c *Config) ParseOption(name, value string) error {
	set := options[name]
	if set == nil {
		return pgerr.Newf(pgerr.InvalidParameterValue, "unrecognized option %q of source", name).
			WithHint("Valid options are: %s.", strings.Join(slices.Sorted(maps.Keys(options)), ", "))
	}
	return set(c, name, value)
}

func badOption(name, value, allowed string) *pgerr.Error {
	return pgerr.Newf(pgerr.InvalidParameterValue, "invalid value for option %q: %q", name, value).
		WithHint("Allowed is %s.", allowed)
}

func parseBool(name, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return false, badOption(name, value, "true or false")
}

func durationOption(at func(*Config) *time.Duration, least time.Duration) option {
	return func(c *Config, name, value string) error {
		d, err := parseDuration(value)
		if err != nil || d < least {
			return badOption(name, value, fmt.Sprintf("a duration such as 100ms, 10s or 1min, at least %v", least))
		}
		*at(c) = d
		return nil
	}
}

// parseDuration takes PostgreSQL's units (ms, s, min, h; a bare number is
// milliseconds) and Go's combinations of them.
func parseDuration(s string) (time.Duration, error) {
	s = strings.ReplaceAll(strings.TrimSpace(s), " ", "")
	if ms, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(ms) * time.Millisecond, nil
	}
	if n, ok := strings.CutSuffix(s, "min"); ok {
		s = n + "m"
	}
	return time.ParseDuration(s)
}

func countOption(at func(*Config) *int) option {
	return func(c *Config, name, value string) error {
		n, err := strconv.ParseInt(value, 10, 31)
		if err != nil || n < 1 {
			return badOption(name, value, "a whole number from 1 to 2147483647")
		}
		*at(c) = int(n)
		return nil
	}
}

// quoteIdent and quoteLiteral quote for SQL.
func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

var _ connectors.Source = (*feed)(nil)
