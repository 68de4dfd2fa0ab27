select
    strftime(started_at, '%Y-%m-%d %H:%M') as started,
    source,
    files_read,
    rows_read,
    rows_loaded,
    rows_merged,
    rows_weak,
    rows_ignored,
    rows_quarantined,
    bytes_read / 1000000.0 as megabytes_read,
    seconds
from marts.load_report
order by started_at desc, source
