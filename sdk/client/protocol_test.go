//go:build unix

package client

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/reflect/protoreflect"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

func protocolPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/plugin-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestTheProtocolPageIsComplete holds the page for authors in other languages
// to the code: names, numbers, and what a description may have.
func TestTheProtocolPageIsComplete(t *testing.T) {
	page := protocolPage(t)
	want := []string{
		"`" + wire.CookieKey + "`", "`" + wire.CookieValue + "`", "`" + wire.LifelineEnv + "`",
		fmt.Sprintf("with commas: `%d`", wire.Protocol),
		fmt.Sprintf("has %d bytes at most", maxSocketPath),
		"`" + wire.CapabilityBatch + "`", "`" + wire.CapabilityExchange + "`",
	}
	for _, size := range []int{wire.MaxRequest, wire.MaxAnswer, wire.MaxExchangeBody, wire.MaxExchangeAnswer, wire.MaxExchangeMessage} {
		want = append(want, fmt.Sprintf("| %d ", size))
	}
	for field := range reflect.TypeFor[sdk.Info]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, "\n| `"+name+"` | ")
	}
	want = append(want, namesOf(adapterv1.File_adapter_v1_adapter_proto)...)
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

// namesOf lists the methods and the codes of failures, as the page writes them.
func namesOf(file protoreflect.FileDescriptor) []string {
	var names []string
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		for j := range service.Methods().Len() {
			names = append(names, fmt.Sprintf("\n| `%s/%s` | ", service.FullName(), service.Methods().Get(j).Name()))
		}
	}
	codes := adapterv1.FailureCode(0).Descriptor().Values()
	for i := range codes.Len() {
		if code := codes.Get(i); code.Number() != 0 {
			names = append(names, "\n| "+strings.TrimPrefix(string(code.Name()), "FAILURE_CODE_")+" | ")
		}
	}
	return names
}

// TestTheTranscriptOfTheProtocolPage starts a plugin as the page does by hand,
// and has the conversation that it shows.
func TestTheTranscriptOfTheProtocolPage(t *testing.T) {
	page := protocolPage(t)
	command := regexp.MustCompile(`(?m)^    \$ env -i (.*) PLUGIN_UNIX_SOCKET_DIR=\S+ \S+\n    (\S+)$`).FindStringSubmatch(page)
	if command == nil {
		t.Fatal("the page shows no start")
	}
	dir, err := os.MkdirTemp("", "bc") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	plugin := exec.Command(executable(t))
	plugin.Env = append(strings.Fields(command[1]), "PLUGIN_UNIX_SOCKET_DIR="+dir, "GORACE=atexit_sleep_ms=0")
	stdout, err := plugin.StdoutPipe()
	if err == nil {
		err = plugin.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plugin.Process.Kill(); plugin.Wait() })
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	said = strings.TrimSpace(said)
	shown := strings.Split(command[2], "|")
	fields := strings.Split(said, "|")
	if len(fields) != len(shown) {
		t.Fatalf("the handshake is %q, the page shows %q", said, command[2])
	}
	for i, field := range fields {
		if i != 3 && field != shown[i] {
			t.Errorf("field %d is %q, the page shows %q", i, field, shown[i])
		}
	}
	conn, err := grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, call := range regexp.MustCompile(`plugin\d+ (bellcrank\.adapter\.v1\.\S+)\n`).FindAllStringSubmatch(page, -1) {
		converse(t, conn, call[1])
	}
}

// converse makes a call of the transcript with an empty request: each has an
// answer, and none is a gRPC status.
func converse(t *testing.T, conn *grpc.ClientConn, method string) {
	t.Helper()
	var request, answer any
	switch {
	case strings.HasSuffix(method, "/Describe"):
		request, answer = &adapterv1.DescribeRequest{}, &adapterv1.DescribeResponse{}
	case strings.HasSuffix(method, "/Configure"):
		request, answer = &adapterv1.ConfigureRequest{Instance: "a", SettingsJson: []byte("{}")}, &adapterv1.ConfigureResponse{}
	case strings.HasSuffix(method, "/Adapt"):
		request, answer = &adapterv1.AdaptRequest{Id: "1", Method: "POST"}, &adapterv1.AdaptResponse{}
	default:
		t.Fatalf("the transcript calls %s", method)
	}
	if err := conn.Invoke(t.Context(), "/"+method, request, answer); err != nil {
		t.Errorf("%s: %v", method, err)
	}
}
