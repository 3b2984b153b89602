package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	const unified = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	tests := map[string]struct {
		cgroups, mounts string
		want            place
		wantErr         string
	}{
		"a unit": {
			"0::/system.slice/bellcrank.service\n", unified,
			place{mount: "/sys/fs/cgroup", path: "/system.slice/bellcrank.service"}, "",
		},
		"beside version 1": {
			"4:memory:/x\n1:name=systemd:/x\n0::/a\n",
			"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n",
			place{mount: "/sys/fs/cgroup/unified", path: "/a"}, "",
		},
		"a container with a namespace of its own": {"0::/\n", unified, place{mount: "/sys/fs/cgroup", path: "/", top: true}, ""},
		"a container that sees its part only": {
			"0::/docker/abc/sub\n", "29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			place{mount: "/sys/fs/cgroup", path: "/sub"}, "",
		},
		"a container's very own part": {
			"0::/docker/abc\n", "29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			place{mount: "/sys/fs/cgroup", path: "/"}, "",
		},
		"another's part":          {"0::/docker/abcd\n", "29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", place{}, "nowhere"},
		"outside of what is seen": {"0::/../other\n", unified, place{}, "nowhere"},
		"white space in a path": {
			"0::/a\n", `29 23 0:26 / /mnt/c\040g\134 rw - cgroup2 none rw` + "\n", place{mount: `/mnt/c g\`, path: "/a"}, "",
		},
		"version 1 alone": {"4:memory:/x\n", unified, place{}, "version 2"},
		"not mounted":     {"0::/a\n", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n", place{}, "nowhere"},
		"nonsense":        {"0::/a\n", "\n - cgroup2\nx - \n", place{}, "nowhere"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := locate(tt.cgroups, tt.mounts)
			if got != tt.want || (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got %+v, %v; want %+v, error %q", got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestWeightIsTheKernelsForANiceness(t *testing.T) {
	for nice, want := range map[int]int{0: 100, 1: 80, 5: 33, 10: 11, 19: 1} {
		if got := weight(nice); got != want {
			t.Errorf("niceness %d weighs %d, want %d", nice, got, want)
		}
	}
}

func TestFolderNames(t *testing.T) {
	for name, want := range map[string]string{
		"sentry": "plugin-sentry-3", "probe of ../x y": "plugin-probe-of----x-y-3", "ü": "plugin---3", "": "plugin--3",
		strings.Repeat("a", 300): "plugin-" + strings.Repeat("a", 64) + "-3",
	} {
		if got := folderName(name, 3); got != want {
			t.Errorf("the folder of %q is %q, want %q", name, got, want)
		}
	}
}

// TestWhereNothingIsGivenATreeSaysWhy holds on every system.
func TestWhereNothingIsGivenATreeSaysWhy(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"cgroup": "4:memory:/\n", "mountinfo": ""} {
		if err := os.WriteFile(filepath.Join(proc, "self", file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, tree := range map[string]*Tree{
		"none": nil, "off": Open(Config{Mode: Off}), "version 1": Open(Config{Proc: proc}),
		"required": Open(Config{Mode: Required, Proc: proc}), "no proc": Open(Config{Proc: filepath.Join(proc, "missing")}),
	} {
		t.Run(name, func(t *testing.T) {
			group, err := tree.New("x", Limits{})
			if tree.Why() == nil || err == nil || group != nil || len(tree.Holds()) > 0 || tree.Folder() != "" {
				t.Errorf("why %v, group %v, %v, held by %v", tree.Why(), group, err, tree.Holds())
			}
			if tree.Required() != (name == "required") {
				t.Errorf("required is %v", tree.Required())
			}
			group.End()
			if group.Bounds(Memory) || group.OutOfMemory() || group.Dir() != nil || group.String() != "" {
				t.Error("no group does something")
			}
			if err := tree.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
