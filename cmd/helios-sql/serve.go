package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/sql/engine"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/state"
	"github.com/helios-sql/helios-sql/wire"
)

// The durable arrangement is what operators need of one; neither package
// imports the other.
var _ op.Arrangement = (*state.Arrangement)(nil)

func serveCommand() *cobra.Command {
	cfg := defaultConfig()
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.resolve(cmd.Flags(), file); err != nil {
				return err
			}
			return serve(cmd.Context(), cfg)
		},
	}
	cfg.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&file, "config", "", "configuration file (TOML or YAML)")
	return cmd
}

// newLogger makes the process's logger.
func newLogger(cfg config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch cfg.LogFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	}
	return nil, fmt.Errorf("log-format: %q is neither text nor json", cfg.LogFormat)
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, cfg config) (err error) {
	log, err := newLogger(cfg)
	if err != nil {
		return err
	}
	slog.SetDefault(log) // the connectors'
	memory, err := parseBytes(cfg.Memory)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	var minFree int64
	if cfg.MinFree != "" {
		if minFree, err = parseBytes(cfg.MinFree); err != nil {
			return fmt.Errorf("min-free: %w", err)
		}
	}
	auth, err := authenticator(cfg)
	if err != nil {
		return err
	}
	began := time.Now()
	limitMemory(memory)
	store, err := state.Open(state.Options{Dir: cfg.DataDir, MemoryBudget: memory, MinFreeBytes: minFree, Logger: log})
	if err != nil {
		return fmt.Errorf("opening %s: %w", cfg.DataDir, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	spool := filepath.Join(cfg.DataDir, "spool")
	if err := os.RemoveAll(spool); err != nil {
		return err
	}
	e, err := engine.New(engine.Options{Store: store, Logger: log, Database: cfg.Database, CheckpointInterval: cfg.CheckpointInterval,
		Connectors: map[string]connectors.Connector{"cdc": cdc.Connector{SpoolDir: spool, SpoolMinFree: 1<<30 + minFree}}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	server := wire.NewServer(e, wire.Options{Auth: auth, MaxConnections: cfg.MaxConnections, Logger: log})

	g, ctx := errgroup.WithContext(ctx)
	engineCtx, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngine()
	g.Go(func() error { return e.Run(engineCtx) })
	g.Go(func() error {
		// Clients go first, so that their last statements still find the engine.
		defer stopEngine()
		return server.Serve(ctx, listener)
	})
	if cfg.HTTP != "" {
		g.Go(func() error { return serveHTTP(ctx, cfg.HTTP, e, store, server) })
	}
	log.Info("serving", "listen", listener.Addr().String(), "http", cfg.HTTP, "data_dir", cfg.DataDir, "tick", store.Checkpoint().Tick,
		"took", time.Since(began).Round(time.Millisecond))
	if cfg.Init != "" {
		g.Go(func() error { return runInit(ctx, e, cfg.Init, log) })
	}
	err = g.Wait()
	log.Info("stopped")
	return err
}

// authenticator makes the way clients prove who they are.
func authenticator(cfg config) (wire.Authenticator, error) {
	switch cfg.Auth {
	case "trust":
		return wire.Trust{}, nil
	case "scram-sha-256":
		if cfg.PasswordFile == "" {
			return nil, errors.New("auth scram-sha-256 needs --password-file")
		}
		data, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password-file: %w", err)
		}
		passwords := map[string]string{}
		for i, line := range strings.Split(string(data), "\n") {
			line = strings.TrimSuffix(line, "\r")
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			user, password, ok := strings.Cut(line, ":")
			if !ok || user == "" || password == "" {
				return nil, fmt.Errorf("password-file: line %d is not user:password", i+1)
			}
			passwords[user] = password
		}
		return wire.NewSCRAM(passwords)
	}
	return nil, fmt.Errorf("auth: %q is neither trust nor scram-sha-256", cfg.Auth)
}

// runInit runs the statements of the pipeline file.
func runInit(ctx context.Context, e *engine.Engine, path string, log *slog.Logger) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := e.RunScript(ctx, string(text)); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("init %s: %w", path, err)
	}
	log.Info("init file done", "file", path)
	return nil
}

// serveHTTP serves metrics and health until ctx ends.
func serveHTTP(ctx context.Context, addr string, e *engine.Engine, store *state.Store, server *wire.Server) error {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		e.Collector(), store.Collector(e.StateLabel), server.Collector())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !e.Ready() {
			http.Error(w, "not ready: a snapshot or an init file is not done", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	srv := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(stop)
	}()
	err := srv.ListenAndServe()
	if errors.Is(err, http.ErrServerClosed) {
		<-done
		return nil
	}
	return err
}
