package cdc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// certificate makes a certificate and its key as PEM; parent nil: of its own authority.
func certificate(t *testing.T, name string, parent *tls.Certificate) (cert tls.Certificate, certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	issuer, signer := like, any(key)
	if parent == nil {
		like.IsCA, like.BasicConstraintsValid, like.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		like.DNSNames = []string{name}
		if issuer, err = x509.ParseCertificate(parent.Certificate[0]); err != nil {
			t.Fatal(err)
		}
		signer = parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, like, issuer, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// A source over TLS: snapshot and stream, with the modes that verify; a wrong
// authority and a wrong name are refused. The password is in a file, which may change.
func TestTLS(t *testing.T) {
	t.Parallel()
	authority, caPEM, _ := certificate(t, "authority", nil)
	_, otherPEM, _ := certificate(t, "other authority", nil)
	_, certPEM, keyPEM := certificate(t, "localhost", &authority)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, wrong, bundle := write("ca.pem", caPEM), write("wrong.pem", otherPEM), write("bundle.pem", append(append([]byte{}, otherPEM...), caPEM...))
	srv := pgtest.Start(t)
	if err := srv.WriteFile("server.crt", certPEM); err != nil {
		t.Fatal(err)
	}
	if err := srv.WriteFile("server.key", keyPEM); err != nil {
		t.Fatal(err)
	}
	if err := srv.WriteFile("pg_hba.conf", []byte("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")); err != nil {
		t.Fatal(err)
	}
	if err := srv.Configure(map[string]string{"ssl": "on", "listen_addresses": "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	srv.MustExec(t, "", "CREATE ROLE tls LOGIN SUPERUSER PASSWORD 'sesam 1'; CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i")
	cfg := testConfig(srv, "postgres", "a")
	cfg.PasswordFile = write("password", []byte("sesam 1\n"))
	dsn := func(host, mode, root string) string {
		return fmt.Sprintf("host=%s port=%d user=tls dbname=postgres sslmode=%s sslrootcert=%s", host, srv.Port, mode, root)
	}
	for _, c := range []struct {
		dsn  string
		text string // "": accepted
	}{
		{dsn("localhost", "require", ""), ""},
		{dsn("localhost", "verify-ca", ca), ""},
		{dsn("localhost", "verify-full", ca), ""},
		{dsn("localhost", "verify-full", bundle), ""},
		{dsn("127.0.0.1", "verify-ca", ca), ""},
		{dsn("127.0.0.1", "verify-full", ca), "certificate"},
		{dsn("localhost", "verify-full", wrong), "unknown authority"},
		{dsn("localhost", "verify-ca", wrong), "unknown authority"},
		{dsn("localhost", "disable", ""), "no encryption"},
		{dsn("localhost", "verify-full", filepath.Join(dir, "missing.pem")), "invalid connection string"},
	} {
		cfg.ConnectionString = c.dsn
		_, err := Validate(t.Context(), cfg)
		if c.text == "" && err != nil || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%s: %v, want %q", c.dsn, err, c.text)
		}
		if err != nil && strings.Contains(err.Error(), "sesam") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
	cfg.ConnectionString = dsn("localhost", "verify-full", ca)
	c := start(t, srv, "postgres", cfg)
	c.same()
	c.exec("UPDATE a SET v = repeat('y', 200) WHERE id % 2 = 0; DELETE FROM a WHERE id % 3 = 0")
	c.same()
	if n := srv.MustQuery(t, "", "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_replication r USING (pid) WHERE ssl"); n != "1" {
		t.Fatalf("%s streams over TLS", n)
	}
	// The password changes while the source runs.
	write("password", []byte("sesam 2"))
	c.exec("ALTER ROLE tls PASSWORD 'sesam 2'; SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
	c.exec("INSERT INTO a VALUES (-1, 'with the new password')")
	c.same()
	write("password", []byte("wrong"))
	if _, err := Validate(t.Context(), cfg); pgerr.CodeOf(err) != "28P01" {
		t.Fatal(err)
	}
	cfg.PasswordFile = filepath.Join(dir, "none")
	if _, err := Validate(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "password") || !strings.Contains(err.Error(), cfg.PasswordFile) {
		t.Fatal(err)
	}
	// In the environment.
	cfg.PasswordFile, cfg.PasswordEnv, cfg.SlotName = "", "HELIOS_CDC_TEST_PASSWORD", "another"
	if _, err := Validate(t.Context(), cfg); pgerr.CodeOf(err) != pgerr.ObjectNotInPrerequisite || !strings.Contains(err.Error(), cfg.PasswordEnv) {
		t.Fatal(err)
	}
	if err := os.Setenv(cfg.PasswordEnv, "sesam 2"); err != nil {
		t.Fatal(err)
	}
	defer os.Unsetenv(cfg.PasswordEnv)
	if _, err := Validate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.PasswordFile = "both"; pgerr.CodeOf(cfg.normalize()) != pgerr.InvalidParameterValue {
		t.Fatal("a file and a variable are accepted")
	}
	cfg.PasswordFile, cfg.PasswordEnv, cfg.PasswordSecret = "", "", "none"
	if _, err := Validate(t.Context(), cfg); pgerr.CodeOf(err) != pgerr.UndefinedObject {
		t.Fatal(err)
	}
}

// What is left of a password in a URI that was cut short is not taken for the
// name of a database, which is shown.
func TestPasswordSpills(t *testing.T) {
	t.Parallel()
	for s, spills := range map[string]bool{
		"postgres://u:1/geheim@h/x": true, "postgres://u:1?geheim@h/x?sslmode=disable": true, "postgresql://u:1#geheim@h/x": true, "postgres://u:1/ge?he#im@h": true,
		"postgres://u:1%2Fgeheim@h/x": false, "postgres://u@h:5432/x?application_name=a@b": false, "postgres://h/x?application_name=a@b": false,
		"postgres://u:p@h/a%40b": false, "host=h password=a/b@c": false, "": false, "postgres://h": false,
	} {
		if got := passwordSpills(s); got != spills {
			t.Errorf("%s: %v", s, got)
		}
		if _, err := parseConnString(s); spills && (pgerr.CodeOf(err) != pgerr.InvalidParameterValue || strings.Contains(err.Error(), "geheim")) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
