package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const dirPrefix = "helios-pg-"

// A supervised is a postmaster under a small shell that outlives this process
// by a moment: when the pipe to the shell closes without a word, the process
// was killed, and the shell stops the server and removes its directory.
// (PR_SET_PDEATHSIG would not survive the change of user.)
type supervised struct {
	shell *exec.Cmd
	pipe  io.WriteCloser
	pid   int // of the postmaster
	done  chan struct{}
}

const supervisor = `"$1" -D "$2" >>"$3/log" 2>&1 </dev/null & pid=$!
echo $pid
if read -r word; then wait $pid; else kill -QUIT $pid; wait $pid; cd /; rm -rf "$3"; fi`

func supervise(cred *syscall.Credential, dir, postgres, data string) (*supervised, error) {
	cmd := exec.Command("/bin/sh", "-c", supervisor, "sh", postgres, data, dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &supervised{shell: cmd, pipe: pipe, done: make(chan struct{})}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if p.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("starting %s: %w", postgres, err)
	}
	go func() {
		cmd.Wait() // the shell gives the server's exit code, of no interest here
		close(p.done)
	}()
	return p, nil
}

// running reports whether the postmaster is alive and no zombie.
func (p *supervised) running() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return syscall.Kill(p.pid, 0) == nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// stop signals the postmaster and waits for its end, with rising force.
func (p *supervised) stop(sig syscall.Signal) error {
	syscall.Kill(p.pid, sig)
	io.WriteString(p.pipe, "stopped\n")
	defer p.pipe.Close()
	for _, next := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL, 0} {
		select {
		case <-p.done:
			return nil
		case <-time.After(20 * time.Second):
			if next != 0 {
				syscall.Kill(p.pid, next)
			}
		}
	}
	return fmt.Errorf("server process %d does not end", p.pid)
}

// FindBin finds the directory of PostgreSQL's server programs.
func FindBin() (string, error) {
	has := func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "initdb"))
		_, err2 := os.Stat(filepath.Join(dir, "postgres"))
		return dir != "" && err == nil && err2 == nil
	}
	for _, name := range []string{"HELIOS_PG_BIN", "PG_BIN"} {
		if dir := os.Getenv(name); dir != "" {
			if !has(dir) {
				return "", fmt.Errorf("%s=%s has no initdb and postgres", name, dir)
			}
			return dir, nil
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !has(dir) {
			continue
		}
		// A link leads to where all the programs are.
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil && has(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
		return dir, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	best, bestVersion := "", -1
	for _, dir := range found {
		v, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && v > bestVersion && has(dir) {
			best, bestVersion = dir, v
		}
	}
	if best == "" {
		return "", errors.New("no PostgreSQL server found: install one, or name its bin directory in HELIOS_PG_BIN")
	}
	return best, nil
}

// unprivileged gives the user to run as, if we are root: PostgreSQL refuses
// to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is no user postgres or nobody to run PostgreSQL as")
}

func run(cred *syscall.Credential, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+os.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// template gives a fresh cluster's directory to copy from, made once per
// version and user, and the version.
func template(bin string, cred *syscall.Credential) (dir, version string, err error) {
	out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", "", fmt.Errorf("%s/postgres --version: %w", bin, err)
	}
	fields := strings.Fields(string(out)) // postgres (PostgreSQL) 15.14 (Debian …)
	if len(fields) < 3 {
		return "", "", fmt.Errorf("%s/postgres --version says %q", bin, out)
	}
	version = fields[2]
	uid := os.Getuid()
	if cred != nil {
		uid = int(cred.Uid)
	}
	root := filepath.Join(os.TempDir(), fmt.Sprintf("helios-pgtemplate-%s-%d", version, uid))
	lock, err := os.OpenFile(root+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", "", err
	}
	dir = filepath.Join(root, "data")
	if _, err := os.Stat(filepath.Join(root, "complete")); err == nil {
		return dir, version, nil
	}
	if err := os.RemoveAll(root); err != nil {
		return "", "", err
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		return "", "", err
	}
	if cred != nil {
		if err := os.Chown(root, int(cred.Uid), int(cred.Gid)); err != nil {
			return "", "", err
		}
	}
	err = run(cred, filepath.Join(bin, "initdb"), "-D", dir, "-U", "postgres",
		"--locale=C", "--encoding=UTF8", "-A", "trust", "--no-sync")
	if err != nil {
		return "", "", err
	}
	return dir, version, os.WriteFile(filepath.Join(root, "complete"), nil, 0o600)
}

// sweep removes what killed processes left behind where even their
// supervisors were killed: directories whose owner holds no lock any more.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		f, err := os.Open(filepath.Join(dir, "owner"))
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			stopStale(dir)
			os.RemoveAll(dir)
		}
		f.Close()
	}
}

// stopStale ends the postmaster of a directory, if it is really that one.
func stopStale(dir string) {
	b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && strings.Contains(string(cmdline), dir) {
		syscall.Kill(pid, syscall.SIGQUIT)
		time.Sleep(200 * time.Millisecond)
	}
}
