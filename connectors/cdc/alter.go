package cdc

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

var _ connectors.TableChanger = Connector{}

// CopyTable makes a source of one table, with a slot of its own, which Drop
// frees: so the copy goes on after an interruption.
//
// It reads the publication of the source that the table is for: so both see
// the table's changes in the same way, and one may take over from the other
// between any two transactions.
func (Connector) CopyTable(ctx context.Context, def *connectors.Definition, t connectors.TableSpec, pin *connectors.Table) (one *connectors.Definition, unpublished bool, err error) {
	of, err := config(def)
	if err != nil {
		return nil, false, err
	}
	cfg := of
	cfg.SnapshotMode, cfg.Failover = SnapshotWhenNeeded, false
	cfg.HeartbeatInterval, cfg.HeartbeatQuery = 0, ""
	cfg.SlotName = fmt.Sprintf("helios_copy_%016x", rand.Uint64())
	cfg.MaxStepRows, cfg.MaxStepBytes = min(cfg.MaxStepRows, copyStepRows), min(cfg.MaxStepBytes, copyStepBytes)
	conn, err := connect(ctx, &of, false)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	spec := TableSpec{Schema: t.Schema, Name: t.Name, Columns: t.Columns, Where: t.Where}
	var was TableSpec
	if pin != nil {
		was = of.TableSpecs[pin.ID]
		if len(spec.Columns) == 0 {
			spec.Columns = was.Columns
		}
		// It may have another name by now.
		rows, err := query(ctx, conn, fmt.Sprintf("SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = %d", pin.OID))
		if err != nil {
			return nil, false, asPgerr(err, "looking up the source's tables")
		}
		if len(rows) > 0 {
			spec.Schema, spec.Name = rows[0][0], rows[0][1]
		}
	}
	cfg.TableSpecs = []TableSpec{spec}
	d, err := discoverOne(ctx, conn, cfg, "")
	if err != nil {
		return nil, false, at(err, t.Pos)
	}
	table := d.tables[0]
	p, err := publicationOf(ctx, conn, &of, table.OID)
	if err != nil {
		return nil, false, err
	}
	if unpublished = p.owned && !p.member; unpublished && !table.owned {
		return nil, false, pgerr.Newf(pgerr.InsufficientPrivilege, "must be owner of table %s to add it to publication %q", table.spec, of.PublicationName).At(t.Pos)
	}
	switch {
	case !unpublished:
		if d, err = discoverOne(ctx, conn, cfg, of.PublicationName); err != nil {
			return nil, false, at(err, t.Pos)
		}
	case pin != nil:
		table.spec.Where = was.Where
	case t.Where != "":
		scratch := cfg
		scratch.PublicationName = cfg.SlotName
		if err := table.checkFilter(ctx, conn, &scratch); err != nil {
			return nil, false, at(err, t.Pos)
		}
	}
	if err := checkServer(ctx, conn, &cfg); err != nil {
		return nil, false, err
	}
	one = &connectors.Definition{Tables: d.Tables, As: [][2]string{t.As}, Secrets: def.Secrets, Secret: def.Secret}
	if one.Config, err = json.Marshal(d.Pinned(cfg)); err != nil {
		return nil, false, fmt.Errorf("encoding the source's configuration: %w", err)
	}
	return one, unpublished, nil
}

// The steps of a copy's large transactions.
const (
	copyStepRows  = 20_000
	copyStepBytes = 8 << 20
)

// discoverOne looks up the only table of cfg, in a publication; "": in none.
func discoverOne(ctx context.Context, conn *pgconn.PgConn, cfg Config, publication string) (*Discovered, error) {
	cfg.PublicationName = publication
	d, err := discover(ctx, conn, &cfg)
	if err == nil {
		err = d.tables[0].failed
	}
	return d, err
}

// A publication is what a table's membership in it depends on.
type publication struct {
	owned, member bool // made by us; lists the table
	name          string
	table         string            // as the publication lists it; "": gone
	filters       map[string]string // as they were recorded with the publication
}

// add puts the table into the publication, with the filter of spec, which is recorded.
func (p *publication) add(ctx context.Context, conn *pgconn.PgConn, cfg *Config, spec TableSpec) error {
	sql := "ALTER PUBLICATION " + p.name + " ADD TABLE " + p.table
	if spec.Where != "" {
		if p.filters == nil {
			p.filters = map[string]string{}
		}
		p.filters[spec.String()] = spec.Where
		sql += " WHERE (" + spec.Where + "); COMMENT ON PUBLICATION " + p.name + " IS " + quoteLiteral(publicationMark(cfg)+encodeFilters(p.filters))
	}
	_, err := query(ctx, conn, sql)
	return asPgerr(err, "altering the publication")
}

func publicationOf(ctx context.Context, conn *pgconn.PgConn, cfg *Config, oid uint32) (p publication, err error) {
	p.name = quoteIdent(cfg.PublicationName)
	rows, err := query(ctx, conn, fmt.Sprintf(`SELECT obj_description(p.oid, 'pg_publication'),
		EXISTS (SELECT 1 FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = %d)
		FROM pg_publication p WHERE pubname = %s`, oid, quoteLiteral(cfg.PublicationName)))
	if err != nil {
		return p, asPgerr(err, "looking up the source's publication")
	}
	if len(rows) == 0 {
		return p, pgerr.Newf(pgerr.UndefinedObject, "publication %q does not exist in the source", cfg.PublicationName)
	}
	p.owned, p.filters = ownComment(cfg, rows[0][0])
	p.member = rows[0][1] == "t"
	rows, err = query(ctx, conn, `SELECT CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', nspname, relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = `+strconv.FormatUint(uint64(oid), 10))
	if err != nil {
		return p, asPgerr(err, "looking up the source's tables")
	}
	if len(rows) > 0 {
		p.table = rows[0][0]
	}
	return p, nil
}

// Publish adds a copy's table to the publication, if that is the source's own
// and lacks it.
func (Connector) Publish(ctx context.Context, def, one *connectors.Definition) error {
	copied, err := config(one)
	if err != nil {
		return err
	}
	return alterPublication(ctx, def, one.Tables[0].OID, func(conn *pgconn.PgConn, cfg *Config, p *publication) error {
		if p.member {
			return nil
		}
		err := p.add(ctx, conn, cfg, copied.TableSpecs[0])
		if pgerr.CodeOf(err) == pgerr.DuplicateObject {
			return nil // someone was faster: an earlier attempt of ours, perhaps
		}
		return err
	})
}

// Unpublish takes a table out of the publication, if that is the source's own.
func (Connector) Unpublish(ctx context.Context, def *connectors.Definition, t connectors.Table) error {
	return alterPublication(ctx, def, t.OID, func(conn *pgconn.PgConn, cfg *Config, p *publication) error {
		if !p.member {
			return nil
		}
		_, err := query(ctx, conn, fmt.Sprintf("ALTER PUBLICATION %s DROP TABLE %s", p.name, p.table))
		if err = asPgerr(err, "altering the publication"); pgerr.CodeOf(err) == pgerr.UndefinedObject {
			return nil
		}
		return err
	})
}

// alterPublication lets do alter the publication, if it is the source's own
// and the table is still there.
func alterPublication(ctx context.Context, def *connectors.Definition, oid uint32, do func(*pgconn.PgConn, *Config, *publication) error) error {
	cfg, err := config(def)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, &cfg, false)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	p, err := publicationOf(ctx, conn, &cfg, oid)
	if err != nil || !p.owned || p.table == "" {
		return err
	}
	return do(conn, &cfg, &p)
}

// WithTable puts a copy's table into the definition of its source.
func (Connector) WithTable(def, one *connectors.Definition, index int) (*connectors.Definition, error) {
	cfg, err := config(def)
	if err != nil {
		return nil, err
	}
	of, err := config(one)
	if err != nil {
		return nil, err
	}
	if index < 0 {
		index = len(cfg.TableSpecs)
	}
	end := min(index+1, len(cfg.TableSpecs))
	spec := of.TableSpecs[0]
	if end > index {
		spec.Where = cfg.TableSpecs[index].Where // which the copy reads off the publication
	}
	cfg.TableSpecs = slices.Replace(cfg.TableSpecs, index, end, spec)
	return redefine(def, cfg, slices.Replace(slices.Clone(def.Tables), index, end, one.Tables[0]),
		slices.Replace(slices.Clone(def.As), index, end, one.As[0]))
}

// WithoutTable takes a table out of the definition of its source.
func (Connector) WithoutTable(def *connectors.Definition, index int) (*connectors.Definition, error) {
	cfg, err := config(def)
	if err != nil {
		return nil, err
	}
	cfg.TableSpecs = slices.Delete(cfg.TableSpecs, index, index+1)
	return redefine(def, cfg, slices.Delete(slices.Clone(def.Tables), index, index+1), slices.Delete(slices.Clone(def.As), index, index+1))
}

func redefine(def *connectors.Definition, cfg Config, tables []connectors.Table, as [][2]string) (*connectors.Definition, error) {
	next := *def
	next.Tables, next.As = tables, as
	for i := range next.Tables {
		next.Tables[i].ID = i
	}
	var err error
	if next.Config, err = json.Marshal(cfg); err != nil {
		return nil, fmt.Errorf("encoding the source's configuration: %w", err)
	}
	return &next, nil
}
