// SPDX-License-Identifier: MIT

// Package realagent gives a stand-in for the Flux Operator the agent as it is: its own
// code, with the permissions of its own account, beside a fake broker that executes on
// this machine.
package realagent

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/witness"
	"github.com/converged-computing/ensemble/minicluster"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// LoseFile in an agent's directory has its broker be killed.
const LoseFile = "lose"

// New gives what the container "agent" of a first pod does. change, unless it is nil,
// changes what the agent is told.
func New(t testing.TB, change func(*agent.Config)) func(context.Context, *kubetest.Cluster, kubetest.Pod) error {
	return beside(t, change, pretended)
}

// OnFlux is New beside real brokers, one for each pod, all of this machine. The test is
// skipped without a flux command.
func OnFlux(t testing.TB, change func(*agent.Config)) func(context.Context, *kubetest.Cluster, kubetest.Pod) error {
	if _, err := exec.LookPath("flux"); err != nil {
		t.Skip("no real broker: there is no flux command")
	}
	return beside(t, change, started)
}

func beside(t testing.TB, change func(*agent.Config), start func(kubetest.Pod) (instance, error)) func(context.Context, *kubetest.Cluster, kubetest.Pod) error {
	dirs := t.TempDir()
	return func(ctx context.Context, c *kubetest.Cluster, p kubetest.Pod) error {
		config, end, err := around(ctx, dirs, p, start)
		if err != nil {
			return err
		}
		defer end()
		if change != nil {
			change(&config)
		}
		client, err := dynamic.NewForConfig(c.As(p.Env[v1alpha1.NamespaceEnv], p.Account))
		if err != nil {
			return err
		}
		return agent.Run(ctx, config, agent.NewCluster(client, p.Env[v1alpha1.NamespaceEnv], p.Env[v1alpha1.NameEnv]))
	}
}

// Witness is what the Job does that saves what Kubernetes tells. change, unless it is nil,
// changes what it is told.
func Witness(t testing.TB, change func(*witness.Config)) func(context.Context, *kubetest.Cluster, kubetest.Pod) error {
	dirs := t.TempDir()
	return func(ctx context.Context, c *kubetest.Cluster, p kubetest.Pod) error {
		config, err := witness.FromEnvironment(environment(p))
		if err != nil {
			return err
		}
		config.Dir = filepath.Join(dirs, p.Cluster)
		config.Push.Attempts = 1
		if change != nil {
			change(&config)
		}
		client, err := dynamic.NewForConfig(c.As(config.Namespace, p.Account))
		if err != nil {
			return err
		}
		return witness.Run(ctx, config, client)
	}
}

// around makes what is around an agent: the broker, a volume, the main container that ends
// with Flux. end takes it away.
func around(ctx context.Context, dirs string, p kubetest.Pod, start func(kubetest.Pod) (instance, error)) (config agent.Config, end func(), err error) {
	dir := filepath.Join(dirs, p.Cluster)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return config, nil, err
	}
	if config, err = agent.FromEnvironment(environment(p)); err != nil {
		return config, nil, err
	}
	broker, err := start(p)
	if err != nil {
		return config, nil, err
	}
	config.Socket, config.Dir, config.Complete = strings.TrimPrefix(broker.URI(), "local://"), dir, filepath.Join(dir, "complete")
	hasten(&config)
	main, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-broker.Down(): // the main container ends when Flux does
				_ = os.WriteFile(config.Complete, nil, 0o644)
				return
			case <-main.Done():
				return
			case <-time.After(20 * time.Millisecond): // pods come and go
				broker.Resize(p.Size())
				if _, err := os.Stat(filepath.Join(dir, LoseFile)); err == nil {
					broker.Lose()
				}
			}
		}
	}()
	return config, func() {
		stop()
		<-done
		broker.Close()
	}, nil
}

// instance is one of Flux.
type instance interface {
	URI() string
	Down() <-chan struct{}
	Resize(nodes int)
	Lose()
	Close()
}

// pretended is a fake broker that executes on this machine.
func pretended(p kubetest.Pod) (instance, error) {
	return fluxtest.New(fluxtest.Options{Nodes: p.Most, Online: p.Size(), Cores: 2, Run: fluxtest.Exec})
}

// real is an instance of real brokers.
type real struct {
	uri     string
	command *exec.Cmd
	in      io.Closer
	down    chan struct{}
}

func started(p kubetest.Pod) (instance, error) {
	r := &real{command: exec.Command("flux", "start", "--test-size="+strconv.Itoa(p.Size()), "sh", "-c", "echo $FLUX_URI; cat"), down: make(chan struct{})}
	in, err := r.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := r.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	r.in = in
	r.uri, err = bufio.NewReader(out).ReadString('\n')
	go func() {
		_ = r.command.Wait() // a shutdown has it end with whatever it likes
		close(r.down)
	}()
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("flux start says nothing: %w", err)
	}
	r.uri = strings.TrimSpace(r.uri)
	return r, nil
}

func (r *real) URI() string           { return r.uri }
func (r *real) Down() <-chan struct{} { return r.down }
func (r *real) Resize(int)            {} // its brokers are there from the begin
func (r *real) Lose()                 { _ = r.command.Process.Kill() }
func (r *real) Close() {
	_ = r.in.Close()
	select {
	case <-r.down:
	case <-time.After(30 * time.Second):
		_ = r.command.Process.Kill()
		<-r.down
	}
}

func environment(p kubetest.Pod) func(string) string {
	return func(name string) string {
		if name == minicluster.IndexEnv {
			return "0"
		}
		return p.Env[name]
	}
}

// hasten has an agent wait less than it would.
func hasten(c *agent.Config) {
	c.Look, c.Retry, c.Grace = 200*time.Millisecond, 200*time.Millisecond, time.Second
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
}

// processEnv tells a program of tests that it is an agent, and where.
const processEnv = "ENSEMBLE_TEST_AGENT"

// process is what it has to know beside the environment of its container.
type process struct {
	Pod                            kubetest.Pod
	Socket, Dir, Complete, Cluster string
}

// Main is for the begin of TestMain: it is the agent in a process that [Killed] started,
// and returns in others.
func Main() {
	text := os.Getenv(processEnv)
	if text == "" {
		return
	}
	if err := runProcess(text); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runProcess(text string) error {
	var p process
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	config, err := agent.FromEnvironment(environment(p.Pod))
	if err != nil {
		return err
	}
	config.Socket, config.Dir, config.Complete = p.Socket, p.Dir, p.Complete
	hasten(&config)
	at, err := clientcmd.BuildConfigFromFlags("", p.Cluster)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(kubetest.As(at, p.Pod.Env[v1alpha1.NamespaceEnv], p.Pod.Account))
	if err != nil {
		return err
	}
	return agent.Run(context.Background(), config, agent.NewCluster(client, p.Pod.Env[v1alpha1.NamespaceEnv], p.Pod.Env[v1alpha1.NameEnv]))
}

// Killed is an agent in a process of its own, which is killed each time that next gives
// a time for it, and is started again. It lives on when next gives 0.
func Killed(t testing.TB, next func() time.Duration) func(context.Context, *kubetest.Cluster, kubetest.Pod) error {
	dirs := t.TempDir()
	return func(ctx context.Context, c *kubetest.Cluster, p kubetest.Pod) error {
		config, end, err := around(ctx, dirs, p, pretended)
		if err != nil {
			return err
		}
		defer end()
		kubeconfig := filepath.Join(config.Dir, "kubeconfig")
		if err := os.WriteFile(kubeconfig, c.Kubeconfig, 0o600); err != nil {
			return err
		}
		text, err := json.Marshal(process{Pod: p, Socket: config.Socket, Dir: config.Dir, Complete: config.Complete, Cluster: kubeconfig})
		if err != nil {
			return err
		}
		for {
			life, cancel := ctx, context.CancelFunc(func() {})
			limit := next()
			if limit > 0 {
				life, cancel = context.WithTimeout(ctx, limit)
			}
			command := exec.CommandContext(life, os.Args[0]) // killed with SIGKILL
			command.Env, command.Stderr = append(os.Environ(), processEnv+"="+string(text)), os.Stderr
			err := command.Run()
			cut := life.Err() != nil
			cancel()
			if ctx.Err() != nil || err == nil || !cut {
				return err
			}
		}
	}
}
