//! Paths as runtimes and systemd make them.
#![allow(clippy::panic, reason = "tests")]

use super::*;

const ID: &str = "4f1c9e0b7a6d52830c4be19f7d3a86521e0f9c7b4d8a63520fb1e9d7c3a86540";
const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
const POD_: &str = "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9";

fn fill(path: &str) -> String {
    path.replace("PODID_", POD_)
        .replace("PODID", POD)
        .replace("ID", ID)
}

/// What a path is taken for, in short: `container`, `pod/container`, `name`, `unit`, or nothing.
fn told(path: &str) -> String {
    let path = fill(path);
    match of(&path).map(|shape| shape.kind) {
        None => String::new(),
        Some(Kind::Named(name)) => format!("name {name}"),
        Some(Kind::Unit(name)) => format!("unit {name}"),
        Some(Kind::Container(container)) => {
            if let Some(pod) = &container.pod {
                assert_eq!(pod, POD, "{path}");
            }
            let short = container.short().unwrap_or("whole");
            match container.pod {
                Some(_) => format!("pod {short}"),
                None => format!("id {short}"),
            }
        }
    }
}

fn check(shapes: &[(&str, &str)]) {
    for (path, wanted) in shapes {
        assert_eq!(told(path), *wanted, "{path}");
    }
}

#[test]
fn containers_of_docker_and_containerd() {
    check(&[
        ("/docker/ID", "id 4f1c9e0b7a6d"),
        ("/system.slice/docker-ID.scope", "id 4f1c9e0b7a6d"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
            "id 4f1c9e0b7a6d",
        ),
        ("/docker/ID/init.scope", "id 4f1c9e0b7a6d"),
        ("/docker/buildkit/h2jw7xq0pyj8s5", "name buildkit"),
        ("/default/web", "name web"),
        ("/default/ID", "id 4f1c9e0b7a6d"),
        ("/system.slice/nerdctl-ID.scope", "id 4f1c9e0b7a6d"),
        ("/system.slice/docker.service", "unit docker.service"),
    ]);
}

#[test]
fn the_innermost_container_counts() {
    let other = "00000000000000000000000000000000000000000000000000000000deadbeef";
    let nested = fill(&format!("/docker/{other}/docker/ID"));
    let Some(Shape {
        kind: Kind::Container(container),
        own,
    }) = of(&nested)
    else {
        panic!("{nested}");
    };
    assert_eq!(container.id, Some(ID));
    assert_eq!(own, nested);
}

#[test]
fn pods() {
    check(&[
        ("/kubepods/podPODID/ID", "pod 4f1c9e0b7a6d"),
        ("/kubepods/burstable/podPODID/ID", "pod 4f1c9e0b7a6d"),
        ("/kubepods/besteffort/podPODID/ID", "pod 4f1c9e0b7a6d"),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPODID_.slice/cri-containerd-ID.scope",
            "pod 4f1c9e0b7a6d",
        ),
        (
            "/kubepods.slice/kubepods-podPODID_.slice/crio-ID.scope",
            "pod 4f1c9e0b7a6d",
        ),
        (
            "/kubepods.slice/kubepods-podPODID_.slice/crio-ID.scope/container",
            "pod 4f1c9e0b7a6d",
        ),
        (
            "/kubepods.slice/kubepods-podPODID_.slice/crio-conmon-ID.scope",
            "pod 4f1c9e0b7a6d",
        ),
        (
            "/kubepods.slice/kubepods-podPODID_.slice/docker-ID.scope",
            "pod 4f1c9e0b7a6d",
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podPODID_.slice/cri-containerd-ID.scope",
            "pod 4f1c9e0b7a6d",
        ),
        (
            "/system.slice/containerd.service/kubepods-besteffort-podPODID_.slice:cri-containerd:ID",
            "pod 4f1c9e0b7a6d",
        ),
        ("/kubepods/besteffort/podPODID", "pod whole"),
        (
            "/kubepods.slice/kubepods-burstable.slice",
            "unit kubepods-burstable.slice",
        ),
    ]);
}

#[test]
fn containers_of_podman() {
    check(&[
        ("/machine.slice/libpod-ID.scope", "id 4f1c9e0b7a6d"),
        (
            "/machine.slice/libpod-ID.scope/container",
            "id 4f1c9e0b7a6d",
        ),
        ("/machine.slice/libpod-conmon-ID.scope", "id 4f1c9e0b7a6d"),
        (
            "/machine.slice/machine-libpod_pod_PODID.slice/libpod-ID.scope",
            "id 4f1c9e0b7a6d",
        ),
        ("/libpod_parent/libpod-ID", "id 4f1c9e0b7a6d"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
            "id 4f1c9e0b7a6d",
        ),
        ("/system.slice/ID-1f2e3d4c.service", "id 4f1c9e0b7a6d"),
    ]);
}

#[test]
fn system_containers_and_machines() {
    check(&[
        ("/lxc.payload.web", "name web"),
        ("/lxc.payload.web/system.slice/cron.service", "name web"),
        ("/lxc.payload.project_web", "name project_web"),
        ("/lxc.payload/web", "name web"),
        ("/lxc.monitor.web", "name web"),
        ("/lxc/web", "name web"),
        ("/lxc/101/ns", "name 101"),
        ("/machine.slice/systemd-nspawn@x.service/payload", "name x"),
        (
            "/machine.slice/systemd-nspawn@my\\x2dbox.service",
            "name my-box",
        ),
        (
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
            "name vm",
        ),
        (
            "/machine.slice/machine-qemu\\x2d17\\x2dbuild\\x2d2.scope",
            "name build-2",
        ),
        ("/machine.slice/machine-plain.scope", "name plain"),
        ("/qemu.slice/100.scope", "unit 100.scope"),
    ]);
}

#[test]
fn clusters() {
    check(&[
        (
            "/ecs/0123456789abcdef0123456789abcdef/ID",
            "id 4f1c9e0b7a6d",
        ),
        (
            "/ecs/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9/0123456789abcdef0123456789abcdef-3527363432",
            "id 0123456789ab",
        ),
        ("/garden/6b0c-2d", "id 6b0c-2d"),
        ("/nomad.slice/PODID.redis.scope", "name redis"),
        ("/nomad.slice/share.slice/PODID.redis.scope", "name redis"),
        ("/nomad/PODID.redis", "name redis"),
        ("/slurm/uid_0/job_1/step_0/task_0", "name slurm_job_1"),
        (
            "/system.slice/slurmstepd.scope/job_17/step_0/user/task_0",
            "name slurm_job_17",
        ),
    ]);
}

#[test]
fn units() {
    check(&[
        ("/system.slice/nginx.service", "unit nginx.service"),
        (
            "/system.slice/system-getty.slice/getty@tty1.service",
            "unit getty@tty1.service",
        ),
        ("/system.slice/foo.service/worker/3", "unit foo.service"),
        ("/init.scope", "unit init.scope"),
        ("/system.slice", "unit system.slice"),
        (
            "/system.slice/proc-fs-binfmt.mount",
            "unit proc-fs-binfmt.mount",
        ),
        ("/system.slice/run-u42.service", "unit run.service"),
        (
            "/system.slice/run-r0123456789abcdef0123456789abcdef.scope",
            "unit run.scope",
        ),
        ("/system.slice/run-p512-i903.scope", "unit run.scope"),
        ("/system.slice/run-docker.mount", "unit run-docker.mount"),
        ("/system.slice/runner.service", "unit runner.service"),
    ]);
}

#[test]
fn sessions_of_users_are_folded() {
    check(&[
        (
            "/user.slice/user-1000.slice/session-3.scope",
            "unit session",
        ),
        (
            "/user.slice/user-1000.slice/session-c12.scope",
            "unit session",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope",
            "unit user@1000",
        ),
        (
            "/user.slice/user-0.slice/user@0.service/init.scope",
            "unit user@0",
        ),
        ("/user.slice/user-1000.slice", "unit user-1000.slice"),
    ]);
}

#[test]
fn other_paths_are_nobodys() {
    check(&[
        ("/", ""),
        ("", ""),
        ("/build/4a85015183cb96fef28a465871a1f8bf", ""),
        ("/podcast/web", ""),
        ("/docker", ""),
        ("/a/default/web", ""),
        ("/nomad.slice/web", "unit nomad.slice"),
    ]);
}

#[test]
fn the_cgroup_of_the_whole_is_found() {
    let own = |path: &str| of(&fill(path)).map(|shape| shape.own.to_owned());
    assert_eq!(
        own("/system.slice/foo.service/worker/3").as_deref(),
        Some("/system.slice/foo.service")
    );
    assert_eq!(
        own("/machine.slice/libpod-ID.scope/container"),
        Some(fill("/machine.slice/libpod-ID.scope"))
    );
    assert_eq!(
        own("/user.slice/user-7.slice/user@7.service/app.slice").as_deref(),
        Some("/user.slice/user-7.slice/user@7.service")
    );
    assert_eq!(own("/lxc/101/ns").as_deref(), Some("/lxc/101"));
}
