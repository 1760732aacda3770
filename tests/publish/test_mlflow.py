"""MLflow: its own client sees the run, its metrics and the model, and downloads
what was published."""
import csv
import json

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from conftest import DIGITS, commit_large

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()


@pytest.fixture
def client(mlflow_server):
    mlflow.set_tracking_uri(mlflow_server.url)
    mlflow.set_registry_uri(mlflow_server.url)
    return MlflowClient(mlflow_server.url)


@pytest.fixture
def run(wh):
    """Four epochs of one run, with metrics and a param."""
    wh.ok("import", "-q", "-b", "sweep",
          *(DIGITS / f"epoch-{n:02}.h5" for n in range(3, 7)),
          "--run", "digits", "--metrics", DIGITS / "metrics.csv")
    wh.ok("commit", "-q", "-b", "sweep", DIGITS / "epoch-07.h5", "--run",
          "digits", "--epoch", "7", "--metric", "val_loss=nan", "--param",
          "lr=1e-3")
    return wh


def test_the_client_downloads_what_is_published(wh, mlflow_server, client,
                                                tmp_path):
    wh.ok("publish", f"{mlflow_server.place}/plain/net", "--save-format",
          "h5,tf", "--alias", "champion,latest")
    folder = mlflow.artifacts.download_artifacts("models:/net@champion",
                                                 dst_path=str(tmp_path / "m"))
    assert (tmp_path / "m" / "model.h5").read_bytes() == EPOCH_2
    assert (tmp_path / "m" / "model.index").exists(), folder
    snapshot = json.loads(wh.ok("show", "--json"))["snapshot"]
    version = client.get_model_version_by_alias("net", "champion")
    assert version.tags["weighhouse.snapshot"] == snapshot


def test_the_run_has_its_history(run, mlflow_server, client):
    run.ok("publish", "sweep", f"{mlflow_server.place}/history")
    experiment = client.get_experiment_by_name("history")
    found = client.search_runs([experiment.experiment_id])
    assert [one.info.run_name for one in found] == ["digits"]
    assert found[0].info.status == "FINISHED"
    assert found[0].data.params == {"lr": "1e-3"}
    history = client.get_metric_history(found[0].info.run_id, "val_loss")
    with open(DIGITS / "metrics.csv") as file:
        expected = [float(row["val_loss"]) for row in csv.DictReader(file)]
    by_step = {point.step: point.value for point in history}
    assert [by_step[step] for step in (3, 4, 5, 6)] == expected[2:6]
    assert by_step[7] != by_step[7]


def test_params_that_mlflow_would_refuse_are_logged(wh, mlflow_server, client):
    long = "x" + "é" * 4000
    wh.ok("commit", "-q", DIGITS / "epoch-07.h5", "--run", "odd", "--param",
          "a#b=1", "--param", "a@b=2", "--param", f"long={long}")
    wh.ok("publish", f"{mlflow_server.place}/params")
    experiment = client.get_experiment_by_name("params")
    params = client.search_runs([experiment.experiment_id])[0].data.params
    assert params.keys() == {"a_b", "long"}
    assert params["long"] == long[:3000]  # 5999 bytes


def test_snapshots_of_a_run_are_versions_of_one_model(run, mlflow_server,
                                                      client):
    place = f"{mlflow_server.place}/versions/model-v"
    run.ok("publish", "sweep~2", "sweep~1", place)
    run.ok("publish", "sweep~2", place)
    experiment = client.get_experiment_by_name("versions")
    assert len(client.search_runs([experiment.experiment_id])) == 1
    versions = client.search_model_versions("name='model-v'")
    assert len(versions) == 2


def test_publishing_again_sends_nothing(wh, mlflow_server):
    place = f"{mlflow_server.place}/again"
    wh.ok("publish", place)
    again = wh.rows("publish", place)[-1]
    assert not any(file["sent"] for file in again["files"])


def test_it_is_pulled_on_another_machine(wh, mlflow_server, elsewhere):
    place = f"{mlflow_server.place}/pulled/net-p"
    wh.ok("publish", "HEAD~1", place, "--alias", "stable")
    wh.ok("publish", "HEAD", place, "--verify", "full")
    elsewhere.ok("pull", place, "-o", "latest")
    assert (elsewhere.folder / "latest" / "model.h5").read_bytes() == EPOCH_2
    elsewhere.ok("pull", place, "stable", "-o", "stable")
    assert (elsewhere.folder / "stable" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-01.h5").read_bytes()
    assert "nothing is published as 'nope'" in \
        elsewhere.fails(4, "pull", place, "nope", "-o", "out")


def test_a_dry_run_makes_nothing(wh, mlflow_server, client):
    wh.ok("publish", f"{mlflow_server.place}/dry", "--dry-run")
    assert client.get_experiment_by_name("dry") is None


def test_large_artifacts_go_in_parts_where_the_store_takes_them(
        wh, mlflow_on_s3, s3):
    commit_large(wh, 70)
    wh.ok("publish", f"{mlflow_on_s3.place}/large")
    keys = [item for item in s3.client.list_objects_v2(
        Bucket="models", Prefix="mlflow/")["Contents"]
        if item["Key"].endswith("/model.h5")]
    assert len(keys) == 1
    assert keys[0]["ETag"].strip('"').endswith("-5")
    data = s3.client.get_object(Bucket="models",
                                Key=keys[0]["Key"])["Body"].read()
    assert data == (wh.folder / "large.h5").read_bytes()


def test_large_artifacts_go_whole_elsewhere(wh, mlflow_server, elsewhere):
    commit_large(wh, 70)
    place = f"{mlflow_server.place}/whole"
    wh.ok("publish", place)
    elsewhere.ok("pull", place, "-o", "out")
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == \
        (wh.folder / "large.h5").read_bytes()


@pytest.mark.parametrize("url", ["mlflow://host", "mlflow://host/",
                                 "mlflow://host/a/../b",
                                 "mlflow://host/a/b/c"])
def test_urls_that_cannot_be_are_refused(wh, url):
    wh.fails(2, "publish", url)


def test_what_is_no_mlflow_is_told(wh, nginx):
    text = wh.fails(1, "publish", f"mlflow+http://127.0.0.1:{nginx.port}/x")
    assert "HTTP 404" in text or "MLflow" in text
