// Package catalog maps names to relations and sources, with their
// dependencies. Snapshots are immutable: a statement binds against one.
package catalog

import (
	"maps"
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An ID names a relation or a source for ever; it is never used again.
type ID uint32

// FirstUserID is the least ID of user objects; system relations have smaller ones.
const FirstUserID ID = 16384

// A Kind says what a relation is.
type Kind string

// The kinds of relations.
const (
	Table            Kind = "table"             // CREATE TABLE: written by clients
	SourceTable      Kind = "source table"      // captured from a source: read-only here
	View             Kind = "view"              // expanded where it is used
	MaterializedView Kind = "materialized view" // kept by a circuit
	System           Kind = "system"            // computed when read
)

// A Relation is a named set of rows.
type Relation struct {
	ID      ID
	Schema  string
	Name    string
	Kind    Kind
	Columns types.Schema
	// Defaults are the columns' default expressions as text, "" for none; nil if none has one.
	Defaults []string `json:",omitempty"`
	// Key are the columns of the primary key, or a materialized view's unique key. Empty: none.
	Key []int `json:",omitempty"`
	// Query is a view's text.
	Query string `json:",omitempty"`
	// ColumnNames are those given in CREATE VIEW v (…).
	ColumnNames []string `json:",omitempty"`
	// Deps are the relations that a view reads.
	Deps []ID `json:",omitempty"`
	// SearchPath is what the names in Query were resolved with.
	SearchPath []string `json:",omitempty"`
	// Source is the source of a captured table, and Upstream its names there.
	Source         ID     `json:",omitempty"`
	UpstreamSchema string `json:",omitempty"`
	UpstreamName   string `json:",omitempty"`
	// Partitioned: it may lose rows upstream without being told.
	Partitioned bool `json:",omitempty"`
	// Error is what stopped a captured table: it and the views over it report it.
	Error *RelationError `json:",omitempty"`
}

// A RelationError is a definite error of a relation.
type RelationError struct{ Code, Message, Hint string }

// A Source is a captured server.
type Source struct {
	ID        ID
	Schema    string
	Name      string
	Connector string
	// Config is the connector's own, as JSON.
	Config []byte
	// Snapshotted: the initial snapshot is in.
	Snapshotted bool
	// Dropping: DROP SOURCE was said, the slot is not yet gone.
	Dropping bool
	// Copying is the table whose contents ALTER SOURCE is copying.
	Copying *TableCopy `json:"Adding,omitempty"`
	// Ended are the definitions of copies that have ended: what they hold on the
	// server is not yet given back.
	Ended [][]byte `json:",omitempty"`
	// Stale are captured tables, by their upstream names quoted, that are to be
	// copied anew, and how often that was found since the last copy.
	Stale map[string]int `json:",omitempty"`
}

// A Secret is a value that is shown nowhere. It is stored as it is.
type Secret struct {
	ID          ID
	Name, Value string
}

// A TableCopy is a captured table that is being copied.
type TableCopy struct {
	Relation *Relation // what it will be, with the ID that its contents are kept by
	Copy     []byte    // definition of the source that copies it, as JSON
	// Published: it was put into the server's publication for this.
	Published bool
	// Of is the relation that it refreshes, 0 if it is a new one, and Stale how
	// often that one had been found stale.
	Of    ID  `json:",omitempty"`
	Stale int `json:",omitempty"`
}

// EndCopy gives the source with its copy ended.
func (s *Source) EndCopy() *Source {
	next := *s
	if next.Copying != nil {
		next.Ended = append(slices.Clip(next.Ended), next.Copying.Copy)
		next.Copying = nil
	}
	return &next
}

// A Snapshot is one version of the catalog. It is immutable; the With and
// Without methods give a new one.
type Snapshot struct {
	Version   uint64
	NextID    ID
	Schemas   []string // user schemas, in order of creation; "public" first
	relations map[ID]*Relation
	sources   map[ID]*Source
	names     map[[2]string]ID
	secrets   map[string]*Secret
}

// New is the empty catalog: schema public and the given system relations.
func New(system []*Relation) *Snapshot {
	s := &Snapshot{NextID: FirstUserID, Schemas: []string{"public"},
		relations: map[ID]*Relation{}, sources: map[ID]*Source{}, names: map[[2]string]ID{}, secrets: map[string]*Secret{}}
	for _, r := range system {
		s.relations[r.ID] = r
		s.names[[2]string{r.Schema, r.Name}] = r.ID
	}
	return s
}

func (s *Snapshot) clone() *Snapshot {
	c := *s
	c.Version++
	c.Schemas = slices.Clone(s.Schemas)
	c.relations, c.sources, c.names, c.secrets = maps.Clone(s.relations), maps.Clone(s.sources), maps.Clone(s.names), maps.Clone(s.secrets)
	return &c
}

// Relation gives a relation by ID, nil if there is none.
func (s *Snapshot) Relation(id ID) *Relation { return s.relations[id] }

// Source gives a source by ID, nil if there is none.
func (s *Snapshot) Source(id ID) *Source { return s.sources[id] }

// SourceByName gives a source by name, nil if there is none.
func (s *Snapshot) SourceByName(name string) *Source {
	for _, src := range s.sources {
		if src.Name == name {
			return src
		}
	}
	return nil
}

// HasSchema reports whether a schema exists, system schemas among them.
func (s *Snapshot) HasSchema(name string) bool {
	switch name {
	case "pg_catalog", "information_schema", "helios":
		return true
	}
	return slices.Contains(s.Schemas, name)
}

// Lookup finds a relation as PostgreSQL does: with a schema there only, else
// pg_catalog first and then along the search path. nil if there is none.
func (s *Snapshot) Lookup(schema, name string, searchPath []string) *Relation {
	if schema != "" {
		return s.relations[s.names[[2]string{schema, name}]]
	}
	if !slices.Contains(searchPath, "pg_catalog") {
		if r := s.relations[s.names[[2]string{"pg_catalog", name}]]; r != nil {
			return r
		}
	}
	for _, p := range searchPath {
		if r := s.relations[s.names[[2]string{p, name}]]; r != nil {
			return r
		}
	}
	return nil
}

// Relations lists all relations in order of ID, Sources all sources.
func (s *Snapshot) Relations() []*Relation {
	rs := slices.Collect(maps.Values(s.relations))
	slices.SortFunc(rs, func(a, b *Relation) int { return int(a.ID) - int(b.ID) })
	return rs
}

// Sources lists all sources in order of ID.
func (s *Snapshot) Sources() []*Source {
	ss := slices.Collect(maps.Values(s.sources))
	slices.SortFunc(ss, func(a, b *Source) int { return int(a.ID) - int(b.ID) })
	return ss
}

// Secret gives a secret by name, nil if there is none.
func (s *Snapshot) Secret(name string) *Secret { return s.secrets[name] }

// Secrets lists all secrets in order of ID.
func (s *Snapshot) Secrets() []*Secret {
	ss := slices.Collect(maps.Values(s.secrets))
	slices.SortFunc(ss, func(a, b *Secret) int { return int(a.ID) - int(b.ID) })
	return ss
}

// Dependents lists the relations that read id, directly, in order of ID.
func (s *Snapshot) Dependents(id ID) []*Relation {
	var out []*Relation
	for _, r := range s.Relations() {
		if slices.Contains(r.Deps, id) {
			out = append(out, r)
		}
	}
	return out
}

// Allocate gives a new ID and the catalog that knows it as used.
func (s *Snapshot) Allocate() (ID, *Snapshot) {
	c := s.clone()
	c.NextID++
	return s.NextID, c
}

// WithRelation adds or replaces (same ID) a relation. 42P07 if the name is
// another's, 3F000 if the schema does not exist.
func (s *Snapshot) WithRelation(r *Relation) (*Snapshot, error) {
	if !s.HasSchema(r.Schema) {
		return nil, pgerr.Newf(pgerr.InvalidSchemaName, "schema %q does not exist", r.Schema)
	}
	n := [2]string{r.Schema, r.Name}
	if id, ok := s.names[n]; ok && id != r.ID {
		return nil, pgerr.Newf(pgerr.DuplicateTable, "relation %q already exists", r.Name)
	}
	c := s.clone()
	if old := c.relations[r.ID]; old != nil {
		delete(c.names, [2]string{old.Schema, old.Name})
	}
	c.relations[r.ID], c.names[n] = r, r.ID
	return c, nil
}

// WithoutRelation removes a relation.
func (s *Snapshot) WithoutRelation(id ID) *Snapshot {
	c := s.clone()
	if r := c.relations[id]; r != nil {
		delete(c.names, [2]string{r.Schema, r.Name})
		delete(c.relations, id)
	}
	return c
}

// WithSource adds or replaces a source. 42710 if the name is another's.
func (s *Snapshot) WithSource(src *Source) (*Snapshot, error) {
	if o := s.SourceByName(src.Name); o != nil && o.ID != src.ID {
		return nil, pgerr.Newf(pgerr.DuplicateObject, "source %q already exists", src.Name)
	}
	c := s.clone()
	c.sources[src.ID] = src
	return c, nil
}

// WithoutSource removes a source.
func (s *Snapshot) WithoutSource(id ID) *Snapshot {
	c := s.clone()
	delete(c.sources, id)
	return c
}

// WithSecret adds a secret, or replaces the one of its name.
func (s *Snapshot) WithSecret(secret *Secret) *Snapshot {
	c := s.clone()
	c.secrets[secret.Name] = secret
	return c
}

// WithoutSecret removes a secret.
func (s *Snapshot) WithoutSecret(name string) *Snapshot {
	c := s.clone()
	delete(c.secrets, name)
	return c
}

// WithSchema adds a schema; 42P06 if it exists.
func (s *Snapshot) WithSchema(name string) (*Snapshot, error) {
	if s.HasSchema(name) {
		return nil, pgerr.Newf(pgerr.DuplicateSchema, "schema %q already exists", name)
	}
	c := s.clone()
	c.Schemas = append(c.Schemas, name)
	return c, nil
}

// WithoutSchema removes a schema, which must be empty.
func (s *Snapshot) WithoutSchema(name string) *Snapshot {
	c := s.clone()
	c.Schemas = slices.DeleteFunc(c.Schemas, func(n string) bool { return n == name })
	return c
}
