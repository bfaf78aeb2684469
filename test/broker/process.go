package broker

import (
	"bufio"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is a program with all that it starts, which do not outlive the test,
// however that ends.
type process struct {
	cmd   *exec.Cmd
	says  chan struct{} // closed when the output has the words waited for
	ended chan struct{}

	watch *exec.Cmd // kills the group once leash is closed
	leash io.Closer

	mu   sync.Mutex
	text strings.Builder
}

// launch starts a program in a process group of its own.
func launch(cmd *exec.Cmd, words string) (*process, error) {
	p := &process{cmd: cmd, says: make(chan struct{}), ended: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go p.follow(out, words)
	return p, p.tie()
}

// tie has the group killed when this process ends or closes the leash.
func (p *process) tie() (err error) {
	group := "-" + strconv.Itoa(p.cmd.Process.Pid)
	p.watch = exec.Command("sh", "-c", `read -r _; kill -s KILL -- "$1"`, "sh", group)
	p.watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the keyboard is not for it
	if p.leash, err = p.watch.StdinPipe(); err != nil {
		return err
	}
	return p.watch.Start()
}

// kill ends the group and waits for its end.
func (p *process) kill() {
	_ = p.leash.Close()
	_ = p.watch.Wait() // it fails when the group has ended by itself
	<-p.ended
}

// follow keeps what the program says and looks for words.
func (p *process) follow(out io.Reader, words string) {
	said := words == ""
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.text.WriteString(line)
		p.mu.Unlock()
		if !said && strings.Contains(line, words) {
			said = true
			close(p.says)
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait()
	close(p.ended)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}
