{#- How alike two requests have to be, in millionths, so that comparisons are of whole numbers. -#}
{% macro hivemind_threshold() -%}
    {{- return(millionths('mindweave__hivemind_threshold')) -}}
{%- endmacro %}

{#- Of how many of the requests something is a template and no pattern, in millionths. -#}
{% macro template_share() -%}
    {{- return(millionths('mindweave__template_share')) -}}
{%- endmacro %}

{#- A variable that is a share above 0, in millionths. -#}
{% macro millionths(name) -%}
    {%- set value = var(name) -%}
    {%- if value is not number or value is sameas true or not 0.000001 <= value <= 1 -%}
        {{- exceptions.raise_compiler_error(
            name ~ ' is ' ~ value ~ ': set it to a number above 0 and at most 1, such as 0.8'
        ) -}}
    {%- endif -%}
    {{- return((value * 1000000) | round | int) -}}
{%- endmacro %}

{#- A variable that is a whole number, at least 1. -#}
{% macro hivemind_number(name) -%}
    {%- set value = var(name) -%}
    {%- if value is not integer or value is sameas true or value < 1 -%}
        {{- exceptions.raise_compiler_error(
            name ~ ' is ' ~ value ~ ': set it to a whole number, at least 1'
        ) -}}
    {%- endif -%}
    {{- return(value) -}}
{%- endmacro %}

{#- A share of whole numbers, cut to a billionth, the same on every engine. -#}
{% macro share_of(part, whole) -%}
    cast({{ divide_usd('cast(' ~ part ~ ' as numeric(18, 0))', whole) }} as numeric(12, 9))
{%- endmacro %}

{#- Sixteen hex digits of a positive number. -#}
{% macro hex_to_bigint(digits) -%}
    {{- return(adapter.dispatch('hex_to_bigint', 'mindweave')(digits)) -}}
{%- endmacro %}

{% macro default__hex_to_bigint(digits) -%}
    cast('0x' || {{ digits }} as bigint)
{%- endmacro %}

{% macro postgres__hex_to_bigint(digits) -%}
    cast(cast('x' || {{ digits }} as bit(64)) as bigint)
{%- endmacro %}

{% macro clickhouse__hex_to_bigint(digits) -%}
    reinterpretAsInt64(reverse(unhex({{ digits }})))
{%- endmacro %}

{#- The whole numbers from 1 to one of a column: a row for each. -#}
{% macro one_to(count) -%}
    {{- return(adapter.dispatch('one_to', 'mindweave')(count)) -}}
{%- endmacro %}

{% macro default__one_to(count) -%}
    unnest(range(1, {{ count }} + 1))
{%- endmacro %}

{% macro postgres__one_to(count) -%}
    generate_series(1, {{ count }})
{%- endmacro %}

{% macro clickhouse__one_to(count) -%}
    arrayJoin(range(1, assumeNotNull({{ count }}) + 1))
{%- endmacro %}

{#-
  How alike the fingerprints of each pair of `pairs` (first_id, second_id, is_exact) are that have a
  shingle in common: shared_count of compared_count. Exact where both sketches hold every shingle;
  else counted among the compared_count smallest shingles of the union, as far as both sketches
  surely hold it. A shingle's place in the union is that in either less those before that both hold.
-#}
{% macro similarities(pairs) -%}
    select
        {{ pairs }}.first_id as first_id,
        {{ pairs }}.second_id as second_id,
        true as is_exact,
        count(*) as shared_count,
        max(firsts.compared_count) + max(seconds.compared_count) - count(*) as compared_count
    from {{ pairs }}
    inner join {{ ref('int_hivemind__postings') }} as firsts
        on {{ pairs }}.first_id = firsts.fingerprint_id
    inner join {{ ref('int_hivemind__postings') }} as seconds
        on {{ pairs }}.second_id = seconds.fingerprint_id
        and firsts.shingle = seconds.shingle
    where {{ pairs }}.is_exact
    group by {{ pairs }}.first_id, {{ pairs }}.second_id

    union all

    select
        first_id,
        second_id,
        false as is_exact,
        sum(case when place <= compared_count then 1 else 0 end) as shared_count,
        max(compared_count) as compared_count
    from (
        select
            {{ pairs }}.first_id as first_id,
            {{ pairs }}.second_id as second_id,
            firsts.place + seconds.place - row_number() over (
                partition by {{ pairs }}.first_id, {{ pairs }}.second_id
                order by firsts.shingle asc
            ) as place,
            case
                when firsts.is_whole then seconds.compared_count
                when seconds.is_whole then firsts.compared_count
                else least(firsts.compared_count, seconds.compared_count)
            end as compared_count
        from {{ pairs }}
        inner join {{ ref('int_hivemind__postings') }} as firsts
            on {{ pairs }}.first_id = firsts.fingerprint_id
        inner join {{ ref('int_hivemind__postings') }} as seconds
            on {{ pairs }}.second_id = seconds.fingerprint_id
            and firsts.shingle = seconds.shingle
        where not {{ pairs }}.is_exact
    ) as shared
    group by first_id, second_id
{%- endmacro %}

{#- How many requests or fingerprints have to share something before it can be a template. -#}
{% macro least_for_a_template() -%}
    {{- return(20) -}}
{%- endmacro %}

{#- The latest time that is in one window with a time. -#}
{% macro in_window(column) -%}
    {{ dbt.dateadd('day', hivemind_number('mindweave__hivemind_window_days'), column) }}
{%- endmacro %}

{#-
  How far an estimate of that many shingles is off at most, in 95 of 100 cases (Hoeffding):
  the root of ln(2 / 0.05) / 2 over their number.
-#}
{% macro similarity_error(compared_count) -%}
    cast(
        round(cast(sqrt(1.844439727 / {{ compared_count }}) as numeric(12, 9)), 6) as numeric(12, 9)
    )
{%- endmacro %}

{#- With how many fingerprints one is compared because of one shingle at most. -#}
{% macro pivots_of_a_shingle() -%}
    {{- return(32) -}}
{%- endmacro %}
