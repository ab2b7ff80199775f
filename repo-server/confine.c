/* Everything here runs between fork and exec: system calls only, no allocation.
 *
 * Debian 12's <linux/landlock.h> ends at ABI 2; the few constants of later ABIs are spelled out here. */
#include "repo-server/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ABI 3 to 6 */
#define FS_TRUNCATE     (1ULL << 14)
#define FS_IOCTL_DEV    (1ULL << 15)
#define NET_BIND_TCP    (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_UNIX      (1ULL << 0)
#define SCOPE_SIGNAL    (1ULL << 1)

struct ruleset_attr {
    uint64_t fs, net, scoped;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                             \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |        \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |              \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_ALL_ABI1                                                                                          \
    (FS_READ | FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                        \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK)

void confine_allow(struct confine_rules *r, const char *path, unsigned rights)
{
    if (path && r->n < CONFINE_MAX_RULES) {
        r->paths[r->n].path = path;
        r->paths[r->n++].rights = rights;
    }
}

void confine_system(struct confine_rules *r)
{
    static const struct {
        const char *path;
        unsigned rights;
    } system_paths[] = {
        {"/usr", CONFINE_READ | CONFINE_EXEC},
        {"/bin", CONFINE_READ | CONFINE_EXEC},
        {"/lib", CONFINE_READ | CONFINE_EXEC},
        {"/lib64", CONFINE_READ | CONFINE_EXEC},
        {"/etc/ssl", CONFINE_READ},
        {"/etc/resolv.conf", CONFINE_READ},
        {"/etc/hosts", CONFINE_READ},
        {"/etc/nsswitch.conf", CONFINE_READ},
        {"/etc/passwd", CONFINE_READ},
        {"/etc/group", CONFINE_READ},
        {"/etc/ld.so.cache", CONFINE_READ},
        {"/etc/host.conf", CONFINE_READ},
        {"/etc/gai.conf", CONFINE_READ},
        {"/dev/null", CONFINE_READ | CONFINE_WRITE},
        {"/dev/urandom", CONFINE_READ},
    };
    for (size_t i = 0; i < ARRAY_LEN(system_paths); i++)
        confine_allow(r, system_paths[i].path, system_paths[i].rights);
}

int confine_abi(void)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : abi;
}

static uint64_t handled_fs(int abi)
{
    uint64_t fs = FS_ALL_ABI1;
    if (abi >= 2)
        fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        fs |= FS_TRUNCATE;
    if (abi >= 5)
        fs |= FS_IOCTL_DEV;
    return fs;
}

static uint64_t rights_to_fs(unsigned rights, uint64_t handled, bool is_dir)
{
    uint64_t fs = 0;
    if (rights & CONFINE_READ)
        fs |= FS_READ;
    if (rights & CONFINE_EXEC)
        fs |= LANDLOCK_ACCESS_FS_EXECUTE;
    if (rights & CONFINE_WRITE)
        fs |= FS_WRITE | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE;
    if (!is_dir)
        fs &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
              FS_TRUNCATE;
    return fs & handled;
}

static int allow_path(int ruleset, const char *path, unsigned rights, uint64_t handled)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    struct stat st;
    int r = fstat(fd, &st);
    if (r == 0) {
        struct landlock_path_beneath_attr attr = {
            .allowed_access = rights_to_fs(rights, handled, S_ISDIR(st.st_mode)),
            .parent_fd = fd,
        };
        r = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
    }
    close(fd);
    return r;
}

static int landlock(const struct confine_rules *rules)
{
    int abi = confine_abi();
    if (abi < 1)
        return 0;
    struct ruleset_attr attr = {.fs = handled_fs(abi)};
    size_t size = sizeof(attr.fs);
    if (abi >= 4) {
        attr.net = rules->deny_tcp ? NET_BIND_TCP | NET_CONNECT_TCP : 0;
        size = 2 * sizeof(uint64_t);
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_UNIX | SCOPE_SIGNAL;
        size = sizeof(attr);
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return -1;
    int r = 0;
    for (size_t i = 0; r == 0 && i < rules->n; i++)
        r = allow_path(ruleset, rules->paths[i].path, rules->paths[i].rights, attr.fs);
    if (r == 0)
        r = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    return r;
}

#if defined(__x86_64__)
#define SECCOMP_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SECCOMP_ARCH AUDIT_ARCH_AARCH64
#endif

#define DENY(nr)                                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static int load_filter(const struct sock_filter *filter, size_t n)
{
    struct sock_fprog prog = {.len = (unsigned short)n, .filter = (struct sock_filter *)filter};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 && errno != EINVAL && errno != ENOSYS ? -1
                                                                                                       : 0;
}

/* Follows the other filter, which looks at the architecture. */
static int stay_in_group(void)
{
    static const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        DENY(SYS_setsid),
        DENY(SYS_setpgid),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return load_filter(filter, ARRAY_LEN(filter));
}

static int seccomp(void)
{
#ifdef SECCOMP_ARCH
    static const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
        /* The x32 table is another way to every call. */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
#endif
        DENY(SYS_ptrace),
        DENY(SYS_process_vm_readv),
        DENY(SYS_process_vm_writev),
        DENY(SYS_pidfd_getfd),
        DENY(SYS_kcmp),
        DENY(SYS_mount),
        DENY(SYS_umount2),
        DENY(SYS_pivot_root),
        DENY(SYS_chroot),
        DENY(SYS_unshare),
        DENY(SYS_setns),
        DENY(SYS_open_by_handle_at),
        DENY(SYS_bpf),
        DENY(SYS_perf_event_open),
        DENY(SYS_userfaultfd),
        DENY(SYS_io_uring_setup),
        DENY(SYS_keyctl),
        DENY(SYS_add_key),
        DENY(SYS_request_key),
        DENY(SYS_init_module),
        DENY(SYS_finit_module),
        DENY(SYS_delete_module),
        DENY(SYS_kexec_load),
        DENY(SYS_reboot),
        DENY(SYS_swapon),
        DENY(SYS_swapoff),
        DENY(SYS_acct),
        DENY(SYS_quotactl),
        DENY(SYS_settimeofday),
        DENY(SYS_clock_settime),
        DENY(SYS_personality),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return load_filter(filter, ARRAY_LEN(filter));
#else
    return 0;
#endif
}

int confine_self(void *arg)
{
    const struct confine_rules *rules = arg;
    /* Both mechanisms ask for it; proc.h sets it too. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return landlock(rules) < 0 || seccomp() < 0 || (rules->stay && stay_in_group() < 0) ? -1 : 0;
}
