"""Every kind of bad input that autotl answers for, each with the test that holds its exact answer.

A kind in the last group is no error: it is survived, and its test says how.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DATA, CLI, FIRST = "data/test_bad_data.py", "cli/test_bad_kinds.py", "cli/test_bad_input.py"
MONITOR = "cli/test_monitor_verb.py"
IMAGES, DISK = "modalities/test_image_reading.py", "trial/test_full_disk.py"
TABLE, OPTION = f"{CLI}::test_a_bad_table", f"{CLI}::test_fit_with_a_bad_option"
RUN, BUNDLE = f"{CLI}::test_a_folder_that_is_no_good_run", f"{CLI}::test_a_bundle_used_wrongly"
NO_BACKBONE = f"{CLI}::test_no_backbone_to_search_with"
UNUSABLE = f"{CLI}::test_an_image_that_cannot_be_used_costs_only_its_own_row"
UNUSUAL = f"{CLI}::test_an_unusual_image_is_predicted_like_any_other"

KINDS = {
    # data
    "missing path": OPTION,
    "empty folder": f"{DATA}::test_an_empty_folder",
    "folder of loose files": f"{DATA}::test_a_folder_of_loose_images",
    "file that is no data": OPTION,
    "device or pipe": f"{CLI}::test_a_device_or_pipe_is_no_data",
    "symlink loop": f"{CLI}::test_links_that_lead_nowhere_but_to_each_other",
    "empty table": TABLE,
    "header only": TABLE,
    "one row": TABLE,
    "one class": TABLE,
    "a class for each row": f"{DATA}::test_a_class_for_nearly_each_row",
    "constant inputs": f"{CLI}::test_constant_texts_that_are_named_as_the_input",
    "blank inputs": TABLE,
    "wrong column": OPTION,
    "no target column": TABLE,
    "duplicate column names": TABLE,
    "missing labels": TABLE,
    "NaN labels": f"{DATA}::test_nan_labels_in_a_data_frame",
    "mixed types": f"{DATA}::test_a_target_of_mixed_types",
    "not UTF-8": f"{DATA}::test_a_table_that_is_not_utf8",
    "ragged table": f"{DATA}::test_a_ragged_table",
    "malformed JSON Lines": f"{DATA}::test_a_malformed_line_of_json",
    "malformed Parquet": f"{DATA}::test_a_parquet_file_that_is_none",
    "image paths that do not exist": TABLE,
    "no readable image": f"{DATA}::test_images_of_which_none_can_be_read",
    "labels of another number than items": f"{DATA}::test_labels_of_the_wrong_number",
    "test class that train lacks": f"{DATA}::test_an_official_test_part_with_an_unknown_class",
    "two tables for one part": f"{DATA}::test_two_tables_for_one_part",
    # options
    "unknown value of an option": f"{FIRST}::test_bad_input_is_named",
    "value out of range": f"{CLI}::test_an_option_out_of_range",
    "bad duration": f"{FIRST}::test_bad_input_is_named",
    "no trials": f"{FIRST}::test_bad_input_is_named",
    "metric of another task": OPTION,
    "task that does not fit": OPTION,
    "unknown scheduler": OPTION,
    "unknown device": OPTION,
    "malformed TOML": OPTION,
    "unknown key in TOML": OPTION,
    "unknown backbone": NO_BACKBONE,
    "backbone of another modality": NO_BACKBONE,
    "missing local weights": NO_BACKBONE,
    "offline with hub backbones only": NO_BACKBONE,
    "licence that excludes all": NO_BACKBONE,
    "wrong checksum": "backbones/test_hub_download.py::test_a_damaged_body_is_refused_and_removed",
    # disk
    "unwritable output": OPTION,
    "cache folder that is a file": OPTION,
    "no disk space for weights": f"{DISK}::test_weights_that_do_not_fit_on_the_disk",
    "no disk space for the record": f"{DISK}::test_a_full_disk_is_answered_with_what_to_do",
    "no disk space for the export": "export/test_export_bundle.py::"
    "test_a_bundle_that_does_not_fit_on_the_disk",
    "forbidden file": f"{FIRST}::test_a_forbidden_file_is_named",
    # runs
    "folder that holds a run": OPTION,
    "resume without a folder": OPTION,
    "resume where no run was begun": OPTION,
    "resume with other data": OPTION,
    "folder that holds no run": RUN,
    "malformed run": RUN,
    "damaged trial": RUN,
    "trial that is not there": RUN,
    "damaged weights": f"{DISK}::test_damaged_weights_are_named",
    "damaged splits": f"{DISK}::test_missing_and_damaged_splits_are_named",
    # bundles
    "folder that is no bundle": BUNDLE,
    "tampered bundle": f"{FIRST}::test_a_changed_bundle_is_refused",
    "nothing to predict": f"{FIRST}::test_predict_without_any_input_says_what_it_takes",
    "output format that is not known": BUNDLE,
    "evaluate on unknown classes": BUNDLE,
    "evaluate on data of another kind": BUNDLE,
    "evaluate on a part that is not there": BUNDLE,
    "bundle that describes no held-out rows": f"{MONITOR}::"
    "test_a_bundle_without_statistics_is_told_what_to_do_and_that_works",
    "tampered statistics": f"{MONITOR}::test_changed_statistics_are_an_error_not_a_verdict",
    "no input that can be read": f"{MONITOR}::test_an_unreadable_input_is_left_out_and_counted",
    "too few rows to monitor": f"{MONITOR}::test_the_exit_code_tells_the_verdict",
    # images among good ones
    "unreadable image": UNUSABLE,
    "truncated JPEG": UNUSABLE,
    "huge image": UNUSABLE,
    # survived
    "CMYK": UNUSUAL,
    "16-bit": UNUSUAL,
    "alpha": UNUSUAL,
    "animated GIF": UNUSUAL,
    "EXIF rotation": f"{IMAGES}::test_exif_orientation_is_undone",
    "broken EXIF": f"{IMAGES}::test_a_broken_exif_block_is_ignored",
    "symlink loop among data": f"{DATA}::test_a_symlink_loop_is_survived_and_nothing_is_read_twice",
    "damaged experience store": "search/test_experience.py::"
    "test_a_damaged_store_costs_a_warning_and_nothing_else",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_has_its_test(kind):
    file, name = KINDS[kind].split("::")
    tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_there_are_enough_kinds():
    assert len(KINDS) >= 70
