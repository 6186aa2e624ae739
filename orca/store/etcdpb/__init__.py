"""Generated messages of etcd's v3 API; only `orca.store.etcd*` imports them.

Made from `proto/etcd/*.proto`, from the root of the source tree, by

    python -m grpc_tools.protoc -Iorca/store/etcdpb=proto/etcd --python_out=. --pyi_out=. \\
        orca/store/etcdpb/kv.proto orca/store/etcdpb/rpc.proto
"""
