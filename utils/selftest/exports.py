"""A network as a file of MindSpore's or of Ascend's, and whether the file computes the network's logits."""

from __future__ import annotations

import os

import numpy as np
from mindspore import Tensor

from mindzoo.utils import runtime
from mindzoo.utils.engine.difference import TOLERANCE
from mindzoo.utils.inference import export_graph
from mindzoo.utils.selftest import first_losses
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import NotRight


def write_and_compare(job: Job, file_format: str) -> Found:
    """One image through the network, and through the file; of an AIR file only the graph it is made of can be loaded.

    Raises:
        NotRight: the logits differ.
    """
    (spec,) = job.specs
    runtime.start(job.device)
    os.chdir(job.folder)  # MindSpore refuses some paths, see `export_graph.write`
    config = first_losses.configuration(spec, small=job.small, batch_size=first_losses.BATCH)
    network = first_losses.drawn(spec.make(first_losses.classes(job.small), spec.network_options(config)))
    network.set_train(False)
    image = first_losses.batch(config, first_losses.classes(job.small))[0].asnumpy()[:1]
    expected = network(Tensor(image)).asnumpy()
    written = export_graph.write(network, image, file_format, job.folder)
    difference = export_graph.difference(network, image, expected, file_format, written)
    size = written.stat().st_size / 1e6
    for path in job.folder.glob(f"{written.stem}*"):
        path.unlink()
    tolerance = TOLERANCE
    numbers = {"largest_relative_difference": difference, "tolerance": tolerance, "megabytes": round(size, 1)}
    if not np.isfinite(expected).all() or not difference <= tolerance:
        raise NotRight(f"logits differ by {difference:.1e} of the largest; wanted at most {tolerance:g}")
    loaded = "its graph as MINDIR" if file_format == "AIR" else "the file, loaded again,"
    return f"{size:.1f} MB; {loaded} differs by {difference:.1e} of the largest logit", numbers
