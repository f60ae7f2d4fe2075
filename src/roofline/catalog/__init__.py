"""Find a chip, model, engine or workload by name, alias or path, and load only that file.

Names match without case or punctuation. Folders are searched in this order: ``ROOFLINE_PATH`` (one or more folders
with hardware/, models/, engines/, workloads/ inside), the platform's config folder, then what the package ships.
"""

from roofline.catalog.load import (
    at_date,
    build,
    chip_family,
    class_defaults,
    engine,
    engine_from_table,
    hardware,
    hardware_from_table,
    merge_achieved,
    model,
    model_from_table,
    port,
    workload,
    workload_from_table,
)
from roofline.catalog.lookup import (
    Family,
    aliases,
    files,
    find,
    folders,
    key,
    label,
    parse_toml,
    plain_name,
    read_text,
    shipped_folder,
    stamp,
    table,
)

__all__ = [
    "Family",
    "aliases",
    "at_date",
    "build",
    "chip_family",
    "class_defaults",
    "engine",
    "engine_from_table",
    "files",
    "find",
    "folders",
    "hardware",
    "hardware_from_table",
    "key",
    "label",
    "merge_achieved",
    "model",
    "model_from_table",
    "parse_toml",
    "plain_name",
    "port",
    "read_text",
    "shipped_folder",
    "stamp",
    "table",
    "workload",
    "workload_from_table",
]
