package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/connectors/cdc/debezium"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// cdcFlags are those of helios-sql cdc.
type cdcFlags struct {
	connection, passwordEnv, passwordFile, format, slot, publication, checkpoint, name string
	tables                                                                             []string
	follow, noSnapshot, schemas                                                        bool
	heartbeat                                                                          time.Duration
}

func cdcCommand() *cobra.Command {
	var f cdcFlags
	cmd := &cobra.Command{
		Use:   "cdc",
		Short: "Print a PostgreSQL database's rows and changes",
		Long: `Prints the tables' rows to standard output, one event a line, and with --follow
every change from then on until it is interrupted.

Nothing is left at the server: the replication slot is a temporary one, and the
publication that --follow makes is dropped at the end. With --slot the slot is a
lasting one: --checkpoint names the file with the position, from which the next
run goes on; what was printed is written there, and confirmed to the server,
every second and at the end. Drop such a slot when it is not needed any more.`,
		Example: `  helios-sql cdc --connection postgres://localhost/shop --tables public.users,public.orders
  helios-sql cdc --connection postgres://localhost/shop --tables 'users (id, name)' --follow --format debezium | jq .op`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := f.run(cmd.Context(), cmd.OutOrStdout())
			var e *pgerr.Error
			if errors.As(err, &e) && e.Hint != "" {
				return fmt.Errorf("%w\n%s", err, e.Hint)
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.connection, "connection", "", "connection string; what it leaves out comes from PGHOST, PGPASSWORD and the like")
	fl.StringVar(&f.passwordEnv, "password-env", "", "environment variable that holds the password")
	fl.StringVar(&f.passwordFile, "password-file", "", "file that holds the password alone")
	fl.StringArrayVar(&f.tables, "tables", nil, "tables, separated by commas, each with a list of columns if not all: 'users (id, name)'; all tables if left out")
	fl.StringVar(&f.format, "format", "json", "json, debezium or table")
	fl.BoolVar(&f.follow, "follow", false, "go on with the changes")
	fl.BoolVar(&f.noSnapshot, "no-snapshot", false, "with --follow: changes only")
	fl.StringVar(&f.slot, "slot", "", "with --follow: a lasting replication slot")
	fl.StringVar(&f.checkpoint, "checkpoint", "", "with --slot: the file that keeps the position")
	fl.StringVar(&f.publication, "publication", "", "with --follow: a publication that exists, or is to be kept")
	fl.DurationVar(&f.heartbeat, "heartbeat", 0, "with --follow: write a message to the server's log this often")
	fl.StringVar(&f.name, "name", "helios", "with --format debezium: the logical name (topic.prefix)")
	fl.BoolVar(&f.schemas, "schemas", false, "with --format debezium: write the Connect schemas")
	return cmd
}

// config checks the flags and makes a source's configuration of them.
func (f *cdcFlags) config() (cdc.Config, error) {
	cfg := cdc.Config{ConnectionString: f.connection, PasswordEnv: f.passwordEnv, PasswordFile: f.passwordFile, SlotName: f.slot, PublicationName: f.publication, HeartbeatInterval: f.heartbeat}
	for _, list := range f.tables {
		cfg.Tables = append(cfg.Tables, splitTables(list)...)
	}
	cfg.AllTables = len(cfg.Tables) == 0
	switch {
	case !f.follow && (f.slot != "" || f.noSnapshot || f.publication != "" || f.heartbeat != 0):
		return cfg, errors.New("--slot, --publication, --heartbeat and --no-snapshot need --follow")
	case (f.slot == "") != (f.checkpoint == ""):
		return cfg, errors.New("--slot and --checkpoint need each other")
	case !f.follow:
		cfg.SnapshotMode = cdc.SnapshotInitialOnly
	case f.noSnapshot:
		cfg.SnapshotMode = cdc.SnapshotNever
	}
	if f.slot == "" && f.follow {
		cfg.TemporarySlot, cfg.SlotName = true, fmt.Sprintf("helios_cdc_%08x", rand.Uint32())
	}
	return cfg, nil
}

// splitTables splits at commas that are not in parentheses or quotes.
func splitTables(list string) []string {
	var out []string
	depth, quoted, start := 0, false, 0
	for i, c := range list {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, list[start:i])
			start = i + 1
		}
	}
	return append(out, list[start:])
}

func (f *cdcFlags) run(ctx context.Context, stdout io.Writer) (err error) {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	cfg, err := f.config()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(stdout, 64<<10)
	print, err := f.printer(out)
	if err != nil {
		return err
	}
	src, err := cdc.NewSource(cfg)
	if err != nil {
		return err
	}
	if err := f.restore(src); err != nil {
		return err
	}
	if cfg.TemporarySlot && f.publication == "" {
		defer func() {
			drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			err = errors.Join(err, cdc.DropSlot(drop, cfg, true))
		}()
	}
	if err := src.Start(ctx); err != nil {
		return err
	}
	defer src.Close()
	save := func() error {
		if err := out.Flush(); err != nil || f.checkpoint == "" {
			return err
		}
		cp := src.Checkpoint()
		if err := writeCheckpoint(f.checkpoint, cp); err != nil {
			return err
		}
		return src.Confirm(cp)
	}
	return errors.Join(follow(ctx, src, print, save, out), save())
}

// follow prints events until they end, and saves the position every second.
func follow(ctx context.Context, src *cdc.Source, print func(*cdc.Event) error, save func() error, out *bufio.Writer) error {
	saved := time.Now()
	for {
		if done, err := moment(ctx, src, print, out); done || err != nil {
			return err
		}
		if time.Since(saved) > time.Second {
			if err := save(); err != nil {
				return err
			}
			saved = time.Now()
		}
	}
}

// moment prints what comes within 20 ms and flushes it; done at the end of events.
func moment(ctx context.Context, src *cdc.Source, print func(*cdc.Event) error, out *bufio.Writer) (done bool, err error) {
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	for soon.Err() == nil {
		e, err := src.Recv(soon)
		switch {
		case err == nil:
			if err := print(e); err != nil {
				return false, err
			}
		case err == io.EOF || ctx.Err() != nil:
			return true, nil
		case errors.Is(err, context.DeadlineExceeded) && soon.Err() != nil:
		default:
			var table *cdc.TableError
			var stale *cdc.TableStaleError
			switch {
			case errors.As(err, &table):
				fmt.Fprintf(os.Stderr, "helios-sql: table %s.%s stopped: %v\n", table.Schema, table.Table, err)
			case errors.As(err, &stale):
				fmt.Fprintf(os.Stderr, "helios-sql: rows of table %s.%s are amiss: %v\n", stale.Schema, stale.Table, err)
			default:
				return false, err
			}
		}
	}
	return ctx.Err() != nil, out.Flush()
}

func (f *cdcFlags) restore(src *cdc.Source) error {
	if f.checkpoint == "" {
		return nil
	}
	data, err := os.ReadFile(f.checkpoint)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var cp cdc.Checkpoint
	if err := json.Unmarshal(data, &cp); err != nil {
		return fmt.Errorf("%s: %w", f.checkpoint, err)
	}
	return src.Restore(cp)
}

// writeCheckpoint replaces the file at once, on disk.
func writeCheckpoint(path string, cp cdc.Checkpoint) error {
	data, err := json.Marshal(cp)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// printer gives the function that writes an event.
func (f *cdcFlags) printer(out *bufio.Writer) (func(*cdc.Event) error, error) {
	switch f.format {
	case "json":
		return func(e *cdc.Event) error { return printJSON(out, e) }, nil
	case "table":
		return func(e *cdc.Event) error { return printLine(out, e) }, nil
	case "debezium":
		conn, err := pgconn.ParseConfig(f.connection)
		if err != nil {
			return nil, errors.New("invalid connection string")
		}
		s, err := debezium.NewSerializer(debezium.Options{Name: f.name, Database: conn.Database, Version: version, Schemas: f.schemas, NoTombstones: true})
		if err != nil {
			return nil, err
		}
		return func(e *cdc.Event) error {
			records, err := s.Serialize(e)
			if err != nil {
				return err
			}
			for _, r := range records {
				if _, err := out.Write(append(r.Value, '\n')); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("--format: %q is neither json, debezium nor table", f.format)
}

// printJSON writes an event as one object.
func printJSON(out *bufio.Writer, e *cdc.Event) error {
	if e.Type == cdc.Heartbeat {
		return nil
	}
	b := fmt.Appendf(nil, `{"type":%q`, e.Type)
	if e.Table != nil {
		b = append(append(b, `,"table":`...), jsonString(e.Table.Schema+"."+e.Table.Name)...)
	}
	b = fmt.Appendf(b, `,"lsn":"%s","commit_lsn":"%s","seq":%d`, e.LSN, e.CommitLSN, e.Seq)
	if e.XID != 0 {
		b = fmt.Appendf(b, `,"xid":%d`, e.XID)
	}
	b = fmt.Appendf(b, `,"time":"%s"`, e.CommitTime.UTC().Format(time.RFC3339Nano))
	if e.HasBefore() {
		b = appendImage(append(b, `,"before":`...), e.Before())
	}
	if e.HasAfter() {
		b = appendImage(append(b, `,"after":`...), e.After())
	}
	if u := e.Unchanged(); len(u) > 0 {
		names, err := json.Marshal(u)
		if err != nil {
			return err
		}
		b = append(append(b, `,"unchanged":`...), names...)
	}
	if e.Type == cdc.SchemaChange {
		b = appendColumns(append(b, `,"old_columns":`...), e.OldTable)
		b = appendColumns(append(b, `,"columns":`...), e.Table)
	}
	if e.Message != nil {
		b = append(append(append(append(b, `,"prefix":`...), jsonString(e.Message.Prefix)...), `,"content":`...), jsonString(string(e.Message.Content))...)
	}
	_, err := out.Write(append(b, "}\n"...))
	return err
}

func jsonString(s string) []byte {
	b, _ := json.Marshal(s) // of a string: no error
	return b
}

func appendColumns(dst []byte, t *cdc.Table) []byte {
	dst = append(dst, '{')
	for i, c := range t.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, jsonString(c.Name)...), ':'), jsonString(c.TypeName)...)
	}
	return append(dst, '}')
}

// appendImage writes the known columns: numbers, booleans and JSON as such,
// all else as PostgreSQL's text.
func appendImage(dst []byte, r cdc.Image) []byte {
	dst = append(dst, '{')
	first := true
	for i, c := range r.Columns() {
		if !r.Known(i) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, jsonString(c.Name)...), ':')
		if r.Null(i) {
			dst = append(dst, "null"...)
			continue
		}
		switch c.Type.OID {
		case types.Bool:
			v, _ := r.Bool(i)
			dst = strconv.AppendBool(dst, v)
		case types.Int2, types.Int4, types.Int8, types.OIDType:
			dst = r.AppendText(dst, i)
		case types.Float4, types.Float8:
			if v, _ := r.Float64(i); math.IsNaN(v) || math.IsInf(v, 0) {
				dst = append(dst, jsonString(r.Text(i))...)
			} else {
				dst = r.AppendText(dst, i)
			}
		case types.Numeric:
			if p := r.Payload(i); types.NumericIsNaN(p) || types.NumericIsInf(p, 1) || types.NumericIsInf(p, -1) {
				dst = append(dst, jsonString(r.Text(i))...)
			} else {
				dst = r.AppendText(dst, i)
			}
		case types.JSON, types.JSONB:
			dst = append(dst, strings.ReplaceAll(r.Text(i), "\n", " ")...)
		default:
			dst = append(dst, jsonString(r.Text(i))...)
		}
	}
	return append(dst, '}')
}

// printLine writes an event for people.
func printLine(out *bufio.Writer, e *cdc.Event) error {
	if e.Type == cdc.Heartbeat {
		return nil
	}
	fmt.Fprintf(out, "%-12s %-8s", e.LSN, e.Type)
	if e.Table != nil {
		fmt.Fprintf(out, " %s.%s", e.Table.Schema, e.Table.Name)
	}
	image := func(mark string, r cdc.Image) {
		for i, c := range r.Columns() {
			switch {
			case r.Unchanged(i):
				fmt.Fprintf(out, "%s%s=(unchanged)", mark, c.Name)
			case !r.Known(i):
			case r.Null(i):
				fmt.Fprintf(out, "%s%s=NULL", mark, c.Name)
			default:
				fmt.Fprintf(out, "%s%s=%s", mark, c.Name, strconv.Quote(r.Text(i)))
			}
		}
	}
	image(" -", e.Before())
	image(" ", e.After())
	if e.Type == cdc.SchemaChange {
		fmt.Fprintf(out, " %s", appendColumns(nil, e.Table))
	}
	if e.Message != nil {
		fmt.Fprintf(out, " %s %q", e.Message.Prefix, e.Message.Content)
	}
	return out.WriteByte('\n')
}
