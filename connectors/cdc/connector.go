package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Connector makes CDC sources for CREATE SOURCE … FROM CDC.
type Connector struct {
	SpoolDir     string // as in Config
	SpoolMinFree int64
}

var _ connectors.Connector = Connector{}

// Create checks the specification against the server. Nothing is changed
// there: slot and publication are made when the source runs.
func (Connector) Create(ctx context.Context, spec connectors.Spec) (*connectors.Definition, error) {
	cfg := Config{ConnectionString: spec.Connection, AllTables: spec.AllTables, Schemas: spec.Schemas,
		SlotName: defaultSlot(spec.Name), PublicationName: defaultSlot(spec.Name), secret: spec.Secret}
	seen := map[string]bool{}
	for _, o := range spec.Options {
		name := strings.ToLower(o.Name)
		if seen[name] {
			return nil, pgerr.Newf(pgerr.SyntaxError, "option %q is specified more than once", name).At(o.Pos)
		}
		seen[name] = true
		if err := cfg.ParseOption(name, o.Value); err != nil {
			if options[name] == nil {
				return nil, at(err, o.Pos)
			}
			return nil, at(err, max(o.ValuePos, o.Pos))
		}
		if name == "password_secret" {
			if _, err := cfg.password(); err != nil {
				return nil, at(err, max(o.ValuePos, o.Pos))
			}
		}
	}
	as, positions := map[string][2]string{}, map[string]int{}
	for _, t := range spec.Tables {
		ts := TableSpec{Schema: t.Schema, Name: t.Name, Columns: t.Columns, Where: t.Where}
		if _, twice := as[ts.String()]; twice {
			return nil, pgerr.Newf(pgerr.DuplicateTable, "table %s is specified more than once", ts).At(t.Pos)
		}
		as[ts.String()], positions[ts.String()] = t.As, t.Pos
		cfg.TableSpecs = append(cfg.TableSpecs, ts)
	}
	d, err := Validate(ctx, cfg)
	if err != nil {
		return nil, tablePosition(err, positions)
	}
	def := &connectors.Definition{Tables: d.Tables, Secret: spec.Secret}
	if cfg.PasswordSecret != "" {
		def.Secrets = []string{cfg.PasswordSecret}
	}
	for _, t := range d.Tables {
		def.As = append(def.As, as[TableSpec{Schema: t.Schema, Name: t.Name}.String()])
	}
	for _, t := range d.tables {
		if t.parent {
			def.Notices = append(def.Notices, fmt.Sprintf("table %s is captured without the rows of the tables that inherit from it", t.spec))
		}
	}
	def.CheckpointMicros = cfg.CheckpointInterval.Microseconds()
	def.SnapshotAlways = cfg.SnapshotMode == SnapshotAlways
	cfg = d.Pinned(cfg)
	if def.Config, err = json.Marshal(cfg); err != nil {
		return nil, fmt.Errorf("encoding the source's configuration: %w", err)
	}
	return def, nil
}

// at puts a position on an error that has none.
func at(err error, pos int) error {
	var e *pgerr.Error
	if errors.As(err, &e) && e.Position == 0 {
		e.Position = pos
	}
	return err
}

// defaultSlot makes a slot's name of a source's.
func defaultSlot(source string) string {
	name := []byte("helios_")
	for _, c := range []byte(strings.ToLower(source)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			name = append(name, c)
		} else {
			name = append(name, '_')
		}
	}
	return string(name[:min(len(name), 63)])
}

func config(def *connectors.Definition) (cfg Config, err error) {
	if err := json.Unmarshal(def.Config, &cfg); err != nil {
		return cfg, fmt.Errorf("reading the source's configuration: %w", err)
	}
	cfg.secret = def.Secret
	return cfg, nil
}

// Open gives a source that is ready to run.
func (c Connector) Open(def *connectors.Definition) (connectors.Source, error) {
	cfg, err := config(def)
	if err != nil {
		return nil, err
	}
	cfg.SpoolDir, cfg.SpoolMinFree = c.SpoolDir, c.SpoolMinFree
	return newFeed(cfg)
}

// Drop frees the slot, and the publication if a source made it.
func (Connector) Drop(ctx context.Context, def *connectors.Definition) error {
	cfg, err := config(def)
	if err != nil {
		return err
	}
	if cfg.SnapshotMode == SnapshotInitialOnly {
		return nil // it left nothing there
	}
	return DropSlot(ctx, cfg, true)
}
