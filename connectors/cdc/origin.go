package cdc

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// A position means something in one history only: that of a system (initdb
// makes one) and of its timelines, each of which branches off an earlier one where a
// standby was promoted or a backup was recovered.

// newSnapshotHint says how a lost position is mended.
const newSnapshotHint = "Drop the source and create it again; it then starts with a new snapshot. With snapshot_mode 'when_needed' it takes one by itself."

func positionLost(code pgerr.Code, format string, args ...any) error {
	return &PositionLostError{pgerr.Newf(code, format, args...).WithHint("%s", newSnapshotHint)}
}

// identify learns whose log the server has. If at is given, everything up to
// it must lie in that log, or the position is lost.
func identify(ctx context.Context, repl *pgconn.PgConn, cfg *Config, at *connectors.Position) error {
	server, err := pglogrepl.IdentifySystem(ctx, repl)
	if err != nil {
		return asPgerr(err, "identifying the server")
	}
	now, end := uint32(server.Timeline), connectors.LSN(server.XLogPos)
	if at != nil {
		if err := checkSystem(cfg, server.SystemID); err != nil {
			return err
		}
		if cfg.Timeline != 0 && cfg.Timeline != now {
			history := ""
			if now > 1 { // the first has none
				file, err := pglogrepl.TimelineHistory(ctx, repl, server.Timeline)
				if err != nil {
					return asPgerr(err, "reading the server's timeline history")
				}
				history = string(file.Content)
			}
			if err := onTimeline(*at, cfg.Timeline, now, history); err != nil {
				return err
			}
		}
		if at.LSN > end {
			return positionLost(pgerr.ObjectNotInPrerequisite, "the source's server ends at %s, before the last position %s: it was restored from a backup", end, at.LSN)
		}
	}
	cfg.SystemID, cfg.Timeline = server.SystemID, now
	return nil
}

func checkSystem(cfg *Config, system string) error {
	if cfg.SystemID == "" || cfg.SystemID == system {
		return nil
	}
	return positionLost(pgerr.ObjectNotInPrerequisite, "the source's server has system identifier %s, and the source was created on %s: it is another server, or was initialized anew", system, cfg.SystemID)
}

// onTimeline checks that a position reached on timeline old lies in the
// history of timeline now: old is an ancestor, and was left at or behind the position.
func onTimeline(at connectors.Position, old, now uint32, history string) error {
	for _, line := range strings.Split(history, "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != strconv.FormatUint(uint64(old), 10) {
			continue
		}
		end, err := connectors.ParseLSN(f[1])
		if err != nil {
			return fmt.Errorf("reading the history of timeline %d: %w", now, err)
		}
		if seen := max(at.LSN, at.StepLSN); seen > end {
			return positionLost(pgerr.ObjectNotInPrerequisite, "the source's server is on timeline %d, which branched off timeline %d at %s, before the last position %s: what was read after that is not in its history", now, old, end, seen)
		}
		return nil
	}
	return positionLost(pgerr.ObjectNotInPrerequisite, "the source's server is on timeline %d, and the last position %s was reached on timeline %d, which is not in its history", now, at.LSN, old)
}

// keepOrigin lets the sink keep what the position that it has now belongs to.
// Until it has, a restart finds the old origin, and takes the position for lost.
func (r *run) keepOrigin(ctx context.Context) error {
	if !r.renewed && r.kept == [2]string{r.cfg.SystemID, fmt.Sprint(r.cfg.Timeline)} {
		return nil
	}
	var err error
	switch sink := r.sink.(type) {
	case *handover:
		err = sink.origin(ctx, r.cfg.SystemID, r.cfg.Timeline)
	case connectors.ConfigKeeper:
		err = sink.KeepConfig(ctx, r.renewConfig)
	}
	if err != nil {
		return &sinkError{err}
	}
	r.renewed, r.kept = false, [2]string{r.cfg.SystemID, fmt.Sprint(r.cfg.Timeline)}
	return nil
}

// renewConfig puts the origin, and which tables and partitions stand for the
// captured ones now, into a source's configuration.
func (r *run) renewConfig(config []byte) ([]byte, error) {
	var c Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("reading the source's configuration: %w", err)
	}
	c.SystemID, c.Timeline = r.cfg.SystemID, r.cfg.Timeline
	for i := range c.TableSpecs {
		for _, t := range r.cfg.TableSpecs {
			s := &c.TableSpecs[i]
			if s.Schema != t.Schema || s.Name != t.Name {
				continue
			}
			if s.Pin != nil && t.Pin != nil && t.Pin.OID != 0 {
				s.Pin = t.Pin
			}
			if r.renewed {
				s.Leaves = t.Leaves
			}
		}
	}
	return json.Marshal(c)
}

// anew is the configuration to begin anew with, when the position is lost:
// on any server, and with tables that may be others of the same definition.
func (c Config) anew() Config {
	if c.events {
		return c // it has no pins, and the system identifier, if any, is the program's own wish
	}
	c.SystemID, c.Timeline = "", 0
	specs := c.TableSpecs
	c.TableSpecs = nil
	for _, t := range specs {
		t.Leaves = nil
		if t.Pin != nil {
			pin := *t.Pin
			pin.OID, pin.Attnums = 0, nil
			t.Pin = &pin
		}
		c.TableSpecs = append(c.TableSpecs, t)
	}
	return c
}
