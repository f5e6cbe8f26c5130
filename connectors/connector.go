package connectors

import "context"

// A Spec is what CREATE SOURCE says, connector by connector the same.
type Spec struct {
	Name       string // of the source here
	Connection string
	AllTables  bool
	Schemas    []string
	Tables     []TableSpec
	Options    []Option
	// Secret gives the value of a secret.
	Secret func(name string) (string, error)
}

// A TableSpec names a table to capture.
type TableSpec struct {
	Schema, Name string
	Columns      []string  // nil: all
	Where        string    // row filter; "" none
	As           [2]string // schema and name here; "" the upstream ones
	Pos          int       // where it stands in the statement
}

// An Option is one name = value of WITH, with the positions of both.
type Option struct {
	Name, Value   string
	Pos, ValuePos int
}

// A Definition is a source that was checked against its server and can be
// opened, now and after a restart.
type Definition struct {
	// Config is the connector's own, as JSON, with all defaults filled in.
	Config []byte
	Tables []Table
	// As are the relations' schema and name here, for each of Tables.
	As [][2]string
	// Notices are remarks for the user: what was left out and why.
	Notices []string
	// Secrets are those that the source needs; Secret gives their values.
	Secrets []string                          `json:",omitempty"`
	Secret  func(name string) (string, error) `json:"-"`
	// CheckpointMicros is how often progress must be made durable; 0: the engine's default.
	CheckpointMicros int64
	// SnapshotAlways asks for a new snapshot whenever the process starts.
	SnapshotAlways bool `json:",omitempty"`
}

// A Connector makes sources of one kind (FROM CDC).
type Connector interface {
	// Create checks a spec against the server, without changing anything
	// there. Errors carry SQLSTATE, what to change, and the position.
	Create(ctx context.Context, spec Spec) (*Definition, error)
	// Open gives a source that is ready to Run.
	Open(def *Definition) (Source, error)
	// Drop frees what the source holds on the server: its slot, and its
	// publication if it made it. It may be called again after a failure.
	Drop(ctx context.Context, def *Definition) error
}

// A TableChanger is a Connector whose sources can get other tables. Its methods
// take and give definitions; at the server only Publish and Unpublish change anything.
type TableChanger interface {
	// CopyTable checks one table against the server of a source, and gives the
	// definition of a source that copies it alone and follows its changes, until
	// Drop. pin: the table as it was captured before, nil
	// for a new one. unpublished: it needs Publish first.
	CopyTable(ctx context.Context, def *Definition, t TableSpec, pin *Table) (one *Definition, unpublished bool, err error)
	// Publish makes the server send a copy's table to the source; Unpublish
	// ends that, where Publish or Create has made it so.
	Publish(ctx context.Context, def, one *Definition) error
	Unpublish(ctx context.Context, def *Definition, t Table) error
	// WithTable gives the definition with a copy's table in place of the one at an index,
	// or behind the others; WithoutTable without the one at an index.
	WithTable(def, one *Definition, index int) (*Definition, error)
	WithoutTable(def *Definition, index int) (*Definition, error)
}
