package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// A copy of a table, that ALTER SOURCE adds or refreshes, is noted in the
// catalog: if the process ends within it, the next one goes on with it. What it holds on
// the server, a slot, is given back when it has ended, then or as soon as may be.

// copying notes a copy in the catalog and makes it, with e.ddl held, which
// unlock gives back. It returns when the table can be read.
func (e *Engine) copying(ctx context.Context, unlock func(), src *alterable, one *connectors.Definition, c *catalog.TableCopy) (err error) {
	if c.Copy, err = json.Marshal(one); err != nil {
		return fmt.Errorf("encoding table %s: %w", c.Relation.Name, err)
	}
	err = e.changeCatalog(ctx, func(cat *catalog.Snapshot) (*catalog.Snapshot, error) {
		c.Relation.ID, cat = cat.Allocate()
		noted := *cat.Source(src.ID)
		noted.Copying = c
		return cat.WithSource(&noted)
	})
	if err != nil {
		return err
	}
	actx, a, end := e.beginAlteration(ctx, src.ID, what(c))
	unlock() // the copy takes its time
	if err = e.makeCopy(actx, a, src, c); err != nil && e.ctx().Err() == nil {
		e.forgetCopying(src, c)
	}
	if err != nil && actx.Err() != nil {
		err = canceled(actx)
	}
	end()
	e.freeCopies(src.Source)
	return err
}

// what tells people of a copy.
func what(c *catalog.TableCopy) string {
	verb := "adding "
	if c.Of != 0 {
		verb = "refreshing "
	}
	return verb + quoteTable(c.Relation.UpstreamSchema, c.Relation.UpstreamName)
}

// resumeCopying goes on, when the process starts, with what the last one left
// of copies.
func (e *Engine) resumeCopying(of *catalog.Source) {
	if of.Dropping {
		return
	}
	if c := of.Copying; c != nil {
		ctx, a, end := e.beginAlteration(e.ctx(), of.ID, what(c))
		e.goRun(func(context.Context) {
			e.resumeCopy(ctx, a, of, c)
			end()
			e.freeCopies(of)
		})
	} else if len(of.Ended) > 0 {
		e.goRun(func(context.Context) { e.freeCopies(of) })
	}
}

func (e *Engine) resumeCopy(ctx context.Context, a *alteration, of *catalog.Source, c *catalog.TableCopy) {
	src, err := e.changer(of)
	if err == nil && src.connector == nil {
		err = pgerr.Newf(pgerr.FeatureNotSupported, "connector %q is not supported", of.Connector)
	}
	for wait := time.Second; err == nil; wait = min(2*wait, time.Minute) {
		if err = e.makeCopy(ctx, a, src, c); err == nil {
			return
		}
		if ctx.Err() == nil && passes(err) { // else it is given up, so that others can be altered
			e.log.Warn("copying a table; it is tried again", "source", of.Name, "relation", c.Relation.Name, "error", err, "retry_in", wait)
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			err = nil
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	if e.ctx().Err() == nil {
		e.log.Error("copying a table", "source", of.Name, "relation", c.Relation.Name, "error", err)
		e.forgetCopying(src, c)
	}
}

// makeCopy makes the copy that is noted, from where it was left.
func (e *Engine) makeCopy(ctx context.Context, a *alteration, src *alterable, c *catalog.TableCopy) error {
	one, err := e.readDefinition(src.Source, c.Copy)
	if err != nil {
		return err
	}
	if c.Published {
		if err := src.connector.Publish(ctx, src.def, one); err != nil {
			return err
		}
	}
	if c.Of != 0 {
		return e.refreshTable(ctx, a, src, c, one)
	}
	return e.addTable(ctx, a, src, c, one)
}

// addTable copies a table and makes it a relation.
func (e *Engine) addTable(ctx context.Context, a *alteration, src *alterable, c *catalog.TableCopy, one *connectors.Definition) error {
	rel, t := *c.Relation, e.ticker
	return e.copyTable(ctx, a, src.Source, &rel, one, func(connectors.LSN) error {
		cat, err := e.redefine(t.cat, src.ID, func(def *connectors.Definition) (*connectors.Definition, error) {
			return src.connector.WithTable(def, one, -1)
		})
		if err == nil {
			cat, err = cat.WithRelation(&rel)
		}
		if err == nil {
			err = t.addLoaded(&rel)
		}
		if err != nil {
			return err
		}
		return t.commitCatalog(cat)
	}, nil)
}

// refreshTable copies a table into a state of its own, and puts it in the
// place of the relation that it refreshes, or makes that what it is.
func (e *Engine) refreshTable(ctx context.Context, a *alteration, src *alterable, c *catalog.TableCopy, one *connectors.Definition) error {
	t, fresh := e.ticker, *c.Relation
	renewing := false
	return e.copyTable(ctx, a, src.Source, &fresh, one, func(at connectors.LSN) error {
		rel := t.cat.Relation(c.Of)
		if rel == nil {
			return pgerr.Newf(pgerr.UndefinedTable, "the table is not part of source %q any more", src.Name)
		}
		cat, err := e.redefine(t.cat, src.ID, func(def *connectors.Definition) (*connectors.Definition, error) {
			return src.connector.WithTable(def, one, (&alterable{def: def}).index(rel.UpstreamSchema, rel.UpstreamName))
		})
		if err == nil {
			cat, err = refreshed(cat, src.ID, staleName(rel), c.Stale)
		}
		if err != nil {
			return err
		}
		deps := cat.Dependents(rel.ID)
		if len(deps) == 0 {
			cat = t.dropRelation(cat, rel)
			if cat, err = cat.WithRelation(&fresh); err != nil {
				return err
			}
			if err := t.addLoaded(&fresh); err != nil {
				return err
			}
			return t.commitCatalog(cat)
		}
		if !follows(rel, one.Tables[0]) {
			return refreshError(rel, deps, "its columns or its key have changed")
		}
		same := *rel
		same.UpstreamSchema, same.UpstreamName, same.Error = fresh.UpstreamSchema, fresh.UpstreamName, nil
		if cat, err = cat.WithRelation(&same); err != nil {
			return err
		}
		n := &renewal{Loaded: true, At: connectors.Position{LSN: at}, Copies: []renewedTable{{rel.ID, physical.RelationFingerprint(uint32(fresh.ID))}}}
		if err := t.startRenewal(ctx, cat, src.ID, n); err != nil {
			return err
		}
		renewing = true
		return nil
	}, func(r *sourceRunner) error {
		if !renewing {
			return nil
		}
		return r.renew(e.ctx()) // there is no way back
	})
}

// refreshed gives the catalog with a source's table no more stale, if that was
// not found again since its copy began.
func refreshed(cat *catalog.Snapshot, id catalog.ID, name string, times int) (*catalog.Snapshot, error) {
	src := *cat.Source(id)
	if src.Stale[name] != times {
		return cat, nil
	}
	src.Stale = maps.Clone(src.Stale)
	delete(src.Stale, name)
	return cat.WithSource(&src)
}

// forgetCopying leaves a source as it was before a table was to be copied.
func (e *Engine) forgetCopying(src *alterable, c *catalog.TableCopy) {
	t, ended := e.ticker, false
	forget := func() error {
		was := t.cat.Source(src.ID)
		if was == nil || was.Copying == nil || was.Copying.Relation.ID != c.Relation.ID {
			ended = true // what failed came behind its end, or the source is dropped
			return nil
		}
		cat, err := t.cat.WithSource(was.EndCopy())
		if err != nil {
			return err
		}
		t.forgetCopy(c.Relation.ID)
		t.dropLoaded(physical.RelationFingerprint(uint32(c.Relation.ID)))
		return t.commitCatalog(cat)
	}
	err := t.doNow(e.ctx(), forget)
	for pgerr.CodeOf(err) == pgerr.DiskFull && e.ctx().Err() == nil {
		time.Sleep(fullRetry)
		err = t.doNow(e.ctx(), forget)
	}
	if err == nil && !ended && c.Published {
		ctx, cancel := context.WithTimeout(e.ctx(), dropTimeout)
		defer cancel()
		var one *connectors.Definition
		if one, err = e.readDefinition(src.Source, c.Copy); err == nil {
			err = src.connector.Unpublish(ctx, src.def, one.Tables[0])
		}
	}
	if err != nil {
		e.log.Warn("undoing ALTER SOURCE", "source", src.Name, "error", err)
	}
}

// freeCopies gives back what ended copies of a source hold on its server. What
// cannot be given back now is tried again, by this process and the next ones.
func (e *Engine) freeCopies(src *catalog.Source) {
	if err := e.tryFreeCopies(src.ID); err == nil || e.ctx().Err() != nil {
		return
	}
	e.goRun(func(ctx context.Context) {
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			err := e.tryFreeCopies(src.ID)
			if err == nil || ctx.Err() != nil {
				return
			}
			e.log.Warn("dropping the slot of a table's copy", "source", src.Name, "error", err, "retry_in", wait)
		}
	})
}

func (e *Engine) tryFreeCopies(id catalog.ID) error {
	src := e.Catalog().Source(id)
	if src == nil || src.Dropping {
		return nil // DROP SOURCE does it
	}
	for _, copied := range src.Ended {
		if err := e.freeCopy(e.ctx(), src, copied); err != nil {
			return err
		}
		err := e.ticker.doNow(e.ctx(), func() error {
			t := e.ticker
			was := t.cat.Source(id)
			if was == nil {
				return nil
			}
			next := *was
			next.Ended = slices.DeleteFunc(slices.Clone(was.Ended), func(d []byte) bool { return bytes.Equal(d, copied) })
			cat, err := t.cat.WithSource(&next)
			if err != nil {
				return err
			}
			return t.commitCatalog(cat)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// freeCopy gives back what a copy held.
func (e *Engine) freeCopy(ctx context.Context, src *catalog.Source, copied []byte) error {
	one, err := e.readDefinition(src, copied)
	if err != nil {
		return err
	}
	c := e.opts.Connectors[src.Connector]
	if c == nil {
		return errors.New("its connector is not there")
	}
	ctx, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	return c.Drop(ctx, one)
}
