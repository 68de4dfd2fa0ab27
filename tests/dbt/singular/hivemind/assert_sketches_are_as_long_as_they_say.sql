-- another length would compare what is not there
select dedup_hash
from {{ ref('stg_mindweave__content_fingerprints') }}
where
    length(sketch) != 16 * least(shingle_count, sketch_size)
    or shingle_count < 1
